mock_provider "aws" { source = "./tests/mocks" }
mock_provider "helm" {}

variables {
  region              = "us-west-2"
  public_access_cidrs = ["203.0.113.7/32"]
}

override_data {
  target = data.aws_vpc.existing
  values = {
    id                      = "vpc-0123456789abcdef0"
    cidr_block              = "10.8.0.0/16"
    cidr_block_associations = [{ cidr_block = "10.8.0.0/16" }]
  }
}

override_data {
  target = data.aws_subnets.existing
  values = { ids = ["subnet-1", "subnet-2", "subnet-3"] }
}

run "a_vpc_that_exists" {
  command = plan
  variables { existing_vpc_id = "vpc-0123456789abcdef0" }

  assert {
    condition     = length(module.vpc) == 0
    error_message = "a network is created beside the existing one"
  }
  assert {
    condition     = local.vpc_id == "vpc-0123456789abcdef0" && local.subnet_ids == tolist(["subnet-1", "subnet-2", "subnet-3"])
    error_message = "the cluster is in another network"
  }
  assert {
    condition     = data.aws_subnets.existing[0].tags == tomap({ "karpenter.sh/discovery" = "neuron-gateway" })
    error_message = "Karpenter would put its nodes into other subnets"
  }
}

run "services_where_a_created_vpc_would_be" {
  command = plan
  variables {
    existing_vpc_id = "vpc-0123456789abcdef0"
    service_cidr    = "10.0.0.0/16"
  }
}

run "a_vpc_with_one_subnet_for_nodes" {
  command = plan
  variables { existing_vpc_id = "vpc-0123456789abcdef0" }
  override_data {
    target = data.aws_subnets.existing
    values = { ids = ["subnet-1"] }
  }
  expect_failures = [data.aws_subnets.existing]
}

run "a_vpc_of_the_services_addresses" {
  command = plan
  variables { existing_vpc_id = "vpc-0123456789abcdef0" }
  override_data {
    target = data.aws_vpc.existing
    values = { cidr_block = "172.16.0.0/12", cidr_block_associations = [] }
  }
  expect_failures = [data.aws_vpc.existing]
}

run "a_second_network_of_the_services_addresses" {
  command = plan
  variables { existing_vpc_id = "vpc-0123456789abcdef0" }
  override_data {
    target = data.aws_vpc.existing
    values = {
      cidr_block              = "10.8.0.0/16"
      cidr_block_associations = [{ cidr_block = "10.8.0.0/16" }, { cidr_block = "172.20.128.0/20" }]
    }
  }
  expect_failures = [data.aws_vpc.existing]
}

run "a_cluster_that_exists" {
  command = plan
  variables { existing_cluster_name = "Platform_1" }

  assert {
    condition     = length(concat(module.vpc, module.eks, module.karpenter, module.addons)) == 0
    error_message = "something is created beside the model store"
  }
  assert {
    condition     = output.configure_kubectl == "aws eks update-kubeconfig --region us-west-2 --name Platform_1"
    error_message = "configure_kubectl is for another cluster"
  }
  assert {
    condition     = output.valkey_address == null && output.grafana_port_forward == null
    error_message = "an output of what is not there"
  }
  assert {
    condition     = output.model_store == "neuron-gateway-models-123456789012-us-west-2" && endswith(output.registry, "/neuron-gateway")
    error_message = "model store or registry have other names"
  }
}
