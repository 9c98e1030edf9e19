# What var.existing_vpc_id names, and what takes the place of a VPC or cluster that exists.

data "aws_vpc" "existing" {
  count = var.existing_vpc_id == null ? 0 : 1

  id = var.existing_vpc_id

  lifecycle {
    # As in the validation of service_cidr: two networks overlap when they are the same at the length of the
    # larger one.
    postcondition {
      condition = alltrue([
        for block in concat([self.cidr_block], self.cidr_block_associations[*].cidr_block) : try(length(distinct([
          for cidr in [var.service_cidr, block] :
          cidrsubnet("${split("/", cidr)[0]}/${min([for each in [var.service_cidr, block] : tonumber(split("/", each)[1])]...)}", 0, 0)
        ])) == 2, true)
      ])
      error_message = "service_cidr must not overlap the networks of existing_vpc_id: choose another network for it."
    }
  }
}

# Karpenter selects the subnets of its nodes by the same tag.
data "aws_subnets" "existing" {
  count = var.existing_vpc_id == null ? 0 : 1

  filter {
    name   = "vpc-id"
    values = [var.existing_vpc_id]
  }
  tags = { "karpenter.sh/discovery" = var.name }

  lifecycle {
    postcondition {
      condition     = length(self.ids) >= 2
      error_message = "existing_vpc_id has ${length(self.ids)} subnets with the tag karpenter.sh/discovery = ${var.name}, and EKS needs two in different zones: aws ec2 create-tags --resources SUBNET SUBNET --tags Key=karpenter.sh/discovery,Value=${var.name}"
    }
  }
}

locals {
  # The modules of a cluster that Terraform creates.
  own_cluster = var.existing_cluster_name == null ? 1 : 0
  own_vpc     = var.existing_vpc_id == null ? local.own_cluster : 0

  vpc_id       = var.existing_vpc_id == null ? one(module.vpc[*].vpc_id) : one(data.aws_vpc.existing[*].id)
  subnet_ids   = var.existing_vpc_id == null ? one(module.vpc[*].private_subnet_ids) : one(data.aws_subnets.existing[*].ids)
  cluster_name = var.existing_cluster_name == null ? one(module.eks[*].cluster_name) : var.existing_cluster_name
}
