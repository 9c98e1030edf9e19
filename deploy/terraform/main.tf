data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

data "aws_availability_zones" "usable" {
  state = "available"
  # Zones in which EKS cannot have a control plane; letters differ between accounts, ids do not.
  exclude_zone_ids = ["use1-az3", "usw1-az2", "cac1-az3"]
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_ec2_instance_type_offerings" "inf2" {
  location_type = "availability-zone"
  filter {
    name   = "instance-type"
    values = ["inf2.8xlarge"]
  }
}

locals {
  tags = merge(var.tags, { "neuron-gateway/cluster" = var.name })

  # The namespace of deploy/k8s.
  namespace = "neuron-gateway"

  registry = "${data.aws_caller_identity.current.account_id}.dkr.ecr.${var.region}.${data.aws_partition.current.dns_suffix}/${var.name}"

  usable     = data.aws_availability_zones.usable.names
  with_inf2  = [for zone in local.usable : zone if contains(data.aws_ec2_instance_type_offerings.inf2.locations, zone)]
  without    = [for zone in local.usable : zone if !contains(local.with_inf2, zone)]
  best_zones = concat(local.with_inf2, local.without)
  zones      = length(var.zones) > 0 ? var.zones : slice(local.best_zones, 0, min(var.zone_count, length(local.best_zones)))
}

module "vpc" {
  source = "./modules/vpc"
  count  = local.own_vpc

  name               = var.name
  region             = var.region
  zones              = local.zones
  vpc_cidr           = var.vpc_cidr
  pod_cidr           = var.pod_cidr
  single_nat_gateway = var.single_nat_gateway
}

module "eks" {
  source = "./modules/eks"
  count  = local.own_cluster

  name                 = var.name
  region               = var.region
  partition            = data.aws_partition.current.partition
  eks_version          = var.eks_version
  subnet_ids           = local.subnet_ids
  service_cidr         = var.service_cidr
  public_access_cidrs  = var.public_access_cidrs
  admin_principal_arns = var.admin_principal_arns
  control_plane_logs   = var.control_plane_logs
  log_retention_days   = var.log_retention_days
  core_instance_type   = var.core_instance_type
  core_node_count      = var.core_node_count
  tags                 = local.tags
}

module "karpenter" {
  source = "./modules/karpenter"
  count  = local.own_cluster

  name          = var.name
  cluster_name  = local.cluster_name
  endpoint      = one(module.eks[*].endpoint)
  region        = var.region
  partition     = data.aws_partition.current.partition
  account_id    = data.aws_caller_identity.current.account_id
  chart_version = var.karpenter_version
  values        = file("${path.module}/helm-values/karpenter.yaml")
}

module "addons" {
  source = "./modules/addons"
  count  = local.own_cluster

  name              = var.name
  cluster_name      = local.cluster_name
  region            = var.region
  partition         = data.aws_partition.current.partition
  vpc_id            = local.vpc_id
  subnet_ids        = local.subnet_ids
  security_group_id = one(module.eks[*].security_group_id)
  values_folder     = abspath("${path.module}/helm-values")

  kuberay_version                        = var.kuberay_version
  neuron_chart_version                   = var.neuron_chart_version
  load_balancer_controller_chart_version = var.load_balancer_controller_chart_version
  monitoring_chart_version               = var.monitoring_chart_version
  enable_load_balancer_controller        = var.enable_load_balancer_controller
  enable_monitoring                      = var.enable_monitoring
  monitoring_values                      = var.monitoring_values
  enable_valkey                          = var.enable_valkey
  valkey_node_type                       = var.valkey_node_type
  valkey_password                        = var.valkey_password

  # The charts need nodes and addons, which their arguments do not refer to.
  depends_on = [module.eks]
}

module "model_store" {
  source = "./modules/model-store"

  name         = var.name
  region       = var.region
  bucket       = "${var.name}-models-${data.aws_caller_identity.current.account_id}-${var.region}"
  partition    = data.aws_partition.current.partition
  cluster_name = local.cluster_name
  namespace    = local.namespace
}

module "image_build" {
  source = "./modules/image-build"
  count  = var.enable_image_build ? 1 : 0

  name            = var.name
  region          = var.region
  partition       = data.aws_partition.current.partition
  account_id      = data.aws_caller_identity.current.account_id
  bucket          = module.model_store.bucket
  registry        = local.registry
  repository_arns = module.model_store.repository_arns
}
