locals {
  zones = { for index, zone in var.zones : zone => index }
  # The zones with a NAT gateway; the others use the first zone's.
  nat_zones = { for zone, index in local.zones : zone => index if index == 0 || !var.single_nat_gateway }
}

resource "aws_vpc" "this" {
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = { Name = var.name }
}

resource "aws_vpc_ipv4_cidr_block_association" "pods" {
  vpc_id     = aws_vpc.this.id
  cidr_block = var.pod_cidr
}

# The VPC's default security group has no rules, so that nothing uses it by accident.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-closed" }
}

# Karpenter selects the subnets of its nodes by the tag karpenter.sh/discovery.
resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, each.value)
  tags = {
    Name                              = "${var.name}-private-${each.key}"
    "karpenter.sh/discovery"          = var.name
    "kubernetes.io/role/internal-elb" = "1"
  }
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  # After the private subnets: at most three, of a sixteenth each.
  cidr_block = cidrsubnet(var.vpc_cidr, 8, 48 + each.value)
  tags = {
    Name                     = "${var.name}-public-${each.key}"
    "kubernetes.io/role/elb" = "1"
  }
}

# The VPC CNI takes pod addresses from subnets with the tag kubernetes.io/role/cni and from the node's own
# subnet. The tag "0" on the private subnets would exclude them, but then the small core nodes would
# have fewer addresses than kubelet assumes.
resource "aws_subnet" "pods" {
  for_each = local.zones

  vpc_id            = aws_vpc_ipv4_cidr_block_association.pods.vpc_id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.pod_cidr, 2, each.value)
  tags = {
    Name                     = "${var.name}-pods-${each.key}"
    "kubernetes.io/role/cni" = "1"
  }
}
