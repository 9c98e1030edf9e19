variable "name" { type = string }
variable "cluster_name" { type = string }
variable "endpoint" { type = string }
variable "region" { type = string }
variable "partition" { type = string }
variable "account_id" { type = string }
variable "chart_version" { type = string }
variable "values" { type = string }
