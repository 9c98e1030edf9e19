variable "name" { type = string }
variable "cluster_name" { type = string }
variable "region" { type = string }
variable "partition" { type = string }
variable "vpc_id" { type = string }
variable "subnet_ids" { type = list(string) }
variable "security_group_id" { type = string }
variable "values_folder" { type = string }

variable "kuberay_version" { type = string }
variable "neuron_chart_version" { type = string }
variable "load_balancer_controller_chart_version" { type = string }
variable "monitoring_chart_version" { type = string }

variable "enable_load_balancer_controller" { type = bool }
variable "enable_monitoring" { type = bool }
variable "monitoring_values" { type = string }
variable "enable_valkey" { type = bool }
variable "valkey_node_type" { type = string }
variable "valkey_password" {
  type      = string
  sensitive = true
}
