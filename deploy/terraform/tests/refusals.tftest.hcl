# Every variable with a validation refuses values that would fail later or only in AWS.

mock_provider "aws" { source = "./tests/mocks" }
mock_provider "helm" {}

variables {
  region              = "us-west-2"
  public_access_cidrs = ["203.0.113.7/32"]
}

run "a_name_with_capitals" {
  command = plan
  variables { name = "Gateway" }
  expect_failures = [var.name]
}

run "a_name_too_long" {
  command = plan
  variables { name = "a-name-of-twenty-nine-letters" }
  expect_failures = [var.name]
}

run "a_name_that_ends_with_a_hyphen" {
  command = plan
  variables { name = "gateway-" }
  expect_failures = [var.name]
}

run "a_name_with_two_hyphens" {
  command = plan
  variables { name = "my--gateway" }
  expect_failures = [var.name]
}

run "a_region_that_is_a_zone" {
  command = plan
  variables { region = "us-west-2a" }
  expect_failures = [var.region]
}

run "a_single_zone" {
  command = plan
  variables { zones = ["us-west-2a"] }
  expect_failures = [var.zones]
}

run "zones_that_are_none" {
  command = plan
  variables { zones = ["us-west-2", "us-east-1"] }
  expect_failures = [var.zones]
}

run "four_zones" {
  command = plan
  variables { zone_count = 4 }
  expect_failures = [var.zone_count]
}

run "an_old_kubernetes" {
  command = plan
  variables { eks_version = "1.33" }
  expect_failures = [var.eks_version]
}

run "a_kubernetes_of_the_future" {
  command = plan
  variables { eks_version = "1.37" }
  expect_failures = [var.eks_version]
}

run "no_network_of_ones_own" {
  command = plan
  variables { public_access_cidrs = [] }
  expect_failures = [var.public_access_cidrs]
}

run "the_whole_internet" {
  command = plan
  variables { public_access_cidrs = ["0.0.0.0/0"] }
  expect_failures = [var.public_access_cidrs]
}

run "half_of_the_internet" {
  command = plan
  variables { public_access_cidrs = ["128.0.0.0/1"] }
  expect_failures = [var.public_access_cidrs]
}

run "an_address_without_length" {
  command = plan
  variables { public_access_cidrs = ["203.0.113.7"] }
  expect_failures = [var.public_access_cidrs]
}

run "an_administrator_by_name" {
  command = plan
  variables { admin_principal_arns = ["alice"] }
  expect_failures = [var.admin_principal_arns]
}

run "logs_that_eks_has_not" {
  command = plan
  variables { control_plane_logs = ["audit", "kubelet"] }
  expect_failures = [var.control_plane_logs]
}

run "logs_for_eight_days" {
  command = plan
  variables { log_retention_days = 8 }
  expect_failures = [var.log_retention_days]
}

run "a_network_with_host_bits" {
  command = plan
  variables { vpc_cidr = "10.0.0.1/16" }
  expect_failures = [var.vpc_cidr]
}

run "a_network_too_large" {
  command = plan
  variables { vpc_cidr = "10.0.0.0/8" }
  expect_failures = [var.vpc_cidr]
}

run "a_network_too_small" {
  command = plan
  variables { vpc_cidr = "10.0.0.0/20" }
  expect_failures = [var.vpc_cidr]
}

run "a_network_that_is_none" {
  command = plan
  variables { vpc_cidr = "ten" }
  expect_failures = [var.vpc_cidr]
}

run "pods_with_host_bits" {
  command = plan
  variables { pod_cidr = "100.64.0.1/16" }
  expect_failures = [var.pod_cidr]
}

run "pods_in_a_network_too_large" {
  command = plan
  variables { pod_cidr = "100.64.0.0/10" }
  expect_failures = [var.pod_cidr]
}

run "pods_in_an_office_network" {
  command = plan
  variables { pod_cidr = "10.1.0.0/16" }
  expect_failures = [var.pod_cidr]
}

run "a_subnet_for_a_vpc" {
  command = plan
  variables { existing_vpc_id = "subnet-0123456789abcdef0" }
  expect_failures = [var.existing_vpc_id]
}

run "an_arn_for_a_cluster" {
  command = plan
  variables { existing_cluster_name = "arn:aws:eks:us-west-2:123456789012:cluster/platform" }
  expect_failures = [var.existing_cluster_name]
}

run "a_cluster_and_a_vpc" {
  command = plan
  variables {
    existing_cluster_name = "platform"
    existing_vpc_id       = "vpc-0123456789abcdef0"
  }
  expect_failures = [var.existing_cluster_name]
}

run "valkey_beside_a_cluster" {
  command = plan
  variables {
    existing_cluster_name = "platform"
    enable_valkey         = true
    valkey_password       = "0123456789abcdef0123"
  }
  expect_failures = [var.existing_cluster_name]
}

run "services_in_a_network_too_large" {
  command = plan
  variables { service_cidr = "172.0.0.0/8" }
  expect_failures = [var.service_cidr]
}

run "services_that_are_none" {
  command = plan
  variables { service_cidr = "172.20.0.0" }
  expect_failures = [var.service_cidr]
}

run "services_on_the_internet" {
  command = plan
  variables { service_cidr = "8.8.0.0/16" }
  expect_failures = [var.service_cidr]
}

run "services_beyond_a_private_network" {
  command = plan
  variables { service_cidr = "192.168.0.0/13" }
  expect_failures = [var.service_cidr]
}

run "services_among_nodes" {
  command = plan
  variables { service_cidr = "10.0.128.0/20" }
  expect_failures = [var.service_cidr]
}

run "nodes_among_services" {
  command = plan
  variables {
    service_cidr = "10.0.0.0/12"
    vpc_cidr     = "10.3.0.0/16"
  }
  expect_failures = [var.service_cidr]
}

run "core_nodes_of_graviton" {
  command = plan
  variables { core_instance_type = "m7g.large" }
  expect_failures = [var.core_instance_type]
}

run "a_single_core_node" {
  command = plan
  variables { core_node_count = 1 }
  expect_failures = [var.core_node_count]
}

run "karpenter_with_a_v" {
  command = plan
  variables { karpenter_version = "v1.14.1" }
  expect_failures = [var.karpenter_version]
}

run "karpenter_too_old_for_eks" {
  command = plan
  variables { karpenter_version = "1.8.0" }
  expect_failures = [var.karpenter_version]
}

run "karpenter_too_old_for_the_next_eks" {
  command = plan
  variables {
    eks_version       = "1.36"
    karpenter_version = "1.12.0"
  }
  expect_failures = [var.karpenter_version]
}

run "a_range_of_kuberay" {
  command = plan
  variables { kuberay_version = "1.7" }
  expect_failures = [var.kuberay_version]
}

run "kuberay_too_old" {
  command = plan
  variables { kuberay_version = "1.4.2" }
  expect_failures = [var.kuberay_version]
}

run "a_range_of_neuron" {
  command = plan
  variables { neuron_chart_version = "1.x" }
  expect_failures = [var.neuron_chart_version]
}

run "a_range_of_the_controller" {
  command = plan
  variables { load_balancer_controller_chart_version = "latest" }
  expect_failures = [var.load_balancer_controller_chart_version]
}

run "a_range_of_monitoring" {
  command = plan
  variables { monitoring_chart_version = "~> 82.0" }
  expect_failures = [var.monitoring_chart_version]
}

run "values_of_monitoring_that_are_not_there" {
  command = plan
  variables { monitoring_values = "no-such-file.yaml" }
  expect_failures = [var.monitoring_values]
}

run "a_node_type_of_ec2" {
  command = plan
  variables { valkey_node_type = "t4g.small" }
  expect_failures = [var.valkey_node_type]
}

run "valkey_without_password" {
  command = plan
  variables { enable_valkey = true }
  expect_failures = [var.valkey_password]
}

run "valkey_with_a_short_password" {
  command = plan
  variables {
    enable_valkey   = true
    valkey_password = "secret"
  }
  expect_failures = [var.valkey_password]
}
