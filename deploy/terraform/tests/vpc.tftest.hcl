mock_provider "aws" { source = "./tests/mocks" }

variables {
  name               = "gw"
  region             = "us-west-2"
  zones              = ["us-west-2a", "us-west-2b", "us-west-2c"]
  vpc_cidr           = "10.0.0.0/16"
  pod_cidr           = "100.64.0.0/16"
  single_nat_gateway = true
}

run "subnets" {
  command = plan
  module { source = "./modules/vpc" }

  assert {
    condition     = alltrue([for subnet in aws_subnet.private : subnet.tags["karpenter.sh/discovery"] == "gw"])
    error_message = "Karpenter finds no subnet"
  }
  assert {
    condition = alltrue([
      for subnet in concat(values(aws_subnet.public), values(aws_subnet.pods)) : !contains(keys(subnet.tags), "karpenter.sh/discovery")
    ])
    error_message = "Karpenter would put nodes into other subnets"
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.public : subnet.tags["kubernetes.io/role/elb"] == "1"])
    error_message = "the load balancer controller finds no public subnet"
  }
  assert {
    condition     = alltrue([for subnet in aws_subnet.pods : subnet.tags["kubernetes.io/role/cni"] == "1"])
    error_message = "the CNI finds no subnet for pods"
  }
  assert {
    condition = [for zone in var.zones : aws_subnet.private[zone].cidr_block] == [
      "10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20",
    ]
    error_message = "private subnets have other addresses"
  }
  assert {
    condition = [for zone in var.zones : aws_subnet.public[zone].cidr_block] == [
      "10.0.48.0/24", "10.0.49.0/24", "10.0.50.0/24",
    ]
    error_message = "public subnets have other addresses"
  }
  assert {
    condition     = alltrue([for zone in var.zones : startswith(aws_subnet.pods[zone].cidr_block, "100.64.")])
    error_message = "pods have addresses of nodes"
  }
}

run "one_nat_gateway" {
  command = plan
  module { source = "./modules/vpc" }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_route.nat) == 3
    error_message = "not one gateway for three zones"
  }
}

run "a_nat_gateway_per_zone" {
  command = plan
  module { source = "./modules/vpc" }
  variables { single_nat_gateway = false }

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_eip.nat) == 3
    error_message = "not one gateway per zone"
  }
}

run "s3_without_nat" {
  command = apply
  module { source = "./modules/vpc" }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.s3.route_table_ids) == 3
    error_message = "weights would come through the NAT gateway"
  }
}

run "the_smallest_network" {
  command = plan
  module { source = "./modules/vpc" }
  variables {
    vpc_cidr = "10.9.0.0/19"
    pod_cidr = "100.127.252.0/22"
  }

  assert {
    condition     = aws_subnet.public["us-west-2c"].cidr_block == "10.9.6.64/27"
    error_message = "the last public subnet is ${aws_subnet.public["us-west-2c"].cidr_block}"
  }
}
