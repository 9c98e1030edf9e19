# The network.

variable "vpc_cidr" {
  description = "Network of nodes and load balancers."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(cidrsubnet(var.vpc_cidr, 0, 0) == var.vpc_cidr, false)
    error_message = "vpc_cidr must be an IPv4 network without host bits, for example 10.0.0.0/16."
  }
  validation {
    condition     = try(tonumber(split("/", var.vpc_cidr)[1]) >= 16 && tonumber(split("/", var.vpc_cidr)[1]) <= 19, false)
    error_message = "vpc_cidr must be between /16, the largest that AWS allows, and /19: in a smaller one, public subnets would be too small for a load balancer."
  }
}

variable "pod_cidr" {
  description = "Additional network for pods, whose addresses would otherwise run out; pods use vpc_cidr as well."
  type        = string
  default     = "100.64.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.pod_cidr)) && try(cidrsubnet(var.pod_cidr, 0, 0) == var.pod_cidr, false)
    error_message = "pod_cidr must be an IPv4 network without host bits, for example 100.64.0.0/16."
  }
  validation {
    condition     = try(tonumber(split("/", var.pod_cidr)[1]) >= 16 && tonumber(split("/", var.pod_cidr)[1]) <= 22, false)
    error_message = "pod_cidr must be between /16, the largest that AWS allows, and /22."
  }
  validation {
    condition     = can(regex("^100\\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\\.", var.pod_cidr))
    error_message = "pod_cidr must lie within 100.64.0.0/10, which private networks do not use."
  }
}

variable "service_cidr" {
  description = "Addresses of Kubernetes Services; they exist inside the cluster only."
  type        = string
  default     = "172.20.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.service_cidr)) && try(cidrsubnet(var.service_cidr, 0, 0) == var.service_cidr, false)
    error_message = "service_cidr must be an IPv4 network without host bits, for example 172.20.0.0/16."
  }
  validation {
    condition     = try(tonumber(split("/", var.service_cidr)[1]) >= 12 && tonumber(split("/", var.service_cidr)[1]) <= 24, false)
    error_message = "service_cidr must be between /12 and /24."
  }
  validation {
    condition     = can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.service_cidr)) && !can(regex("^192.*/1[2-5]$", var.service_cidr))
    error_message = "service_cidr must lie within 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16: EKS takes no other, and pod_cidr is elsewhere."
  }
  # Two networks overlap when they are the same at the length of the larger one. existing.tf has the same for
  # a VPC that exists.
  validation {
    condition = var.existing_vpc_id != null || try(length(distinct([
      for cidr in [var.service_cidr, var.vpc_cidr] :
      cidrsubnet("${split("/", cidr)[0]}/${min([for each in [var.service_cidr, var.vpc_cidr] : tonumber(split("/", each)[1])]...)}", 0, 0)
    ])) == 2, true)
    error_message = "service_cidr must not overlap vpc_cidr: choose another network for one of the two."
  }
}

variable "single_nat_gateway" {
  description = "One NAT gateway instead of one per zone: cheaper, but a failure of its zone disconnects the others."
  type        = bool
  default     = true
}
