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

variable "existing_cluster_name" {
  description = "EKS cluster to serve in, by its name. Terraform then creates the model store, the registry and the two roles of deploy/k8s alone: no network, no nodes, no charts; `neuron-gateway doctor --cluster` lists what the cluster lacks. Null: a cluster is created."
  type        = string
  default     = null

  validation {
    condition     = var.existing_cluster_name == null || can(regex("^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$", var.existing_cluster_name))
    error_message = "existing_cluster_name must be the name of an EKS cluster, without ARN or region; aws eks list-clusters lists them."
  }
  validation {
    condition     = var.existing_cluster_name == null || var.existing_vpc_id == null
    error_message = "existing_cluster_name must not be set together with existing_vpc_id: the cluster has its network."
  }
  validation {
    condition     = var.existing_cluster_name == null || !var.enable_valkey
    error_message = "existing_cluster_name must not be set together with enable_valkey: use the component gcs-ft with its own Valkey, or with one that you have."
  }
}
