# What is there already, and is used instead of being created.

variable "existing_vpc_id" {
  description = "VPC to put the cluster into, for example vpc-0123456789abcdef0; nothing of it is changed or deleted. Its subnets for nodes have the tag karpenter.sh/discovery with the cluster's name and a route to the internet; vpc_cidr, pod_cidr and single_nat_gateway have no effect. Null: a VPC is created."
  type        = string
  default     = null

  validation {
    condition     = var.existing_vpc_id == null || can(regex("^vpc-([0-9a-f]{8}|[0-9a-f]{17})$", var.existing_vpc_id))
    error_message = "existing_vpc_id must be the id of a VPC, for example vpc-0123456789abcdef0; aws ec2 describe-vpcs lists them."
  }
}
