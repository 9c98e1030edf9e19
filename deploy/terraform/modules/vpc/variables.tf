variable "name" { type = string }
variable "region" { type = string }
variable "zones" { type = list(string) }
variable "vpc_cidr" { type = string }
variable "pod_cidr" { type = string }
variable "single_nat_gateway" { type = bool }
