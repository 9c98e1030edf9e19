variable "name" { type = string }
variable "region" { type = string }
variable "bucket" { type = string }
variable "partition" { type = string }
variable "cluster_name" { type = string }
variable "namespace" { type = string }
