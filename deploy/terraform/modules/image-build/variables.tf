variable "name" { type = string }
variable "region" { type = string }
variable "partition" { type = string }
variable "account_id" { type = string }
variable "bucket" { type = string }
variable "registry" { type = string }
variable "repository_arns" { type = list(string) }
