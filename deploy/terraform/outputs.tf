output "cluster_name" {
  description = "The variable name: of the EKS cluster, or of what is beside one that exists."
  value       = var.name
  # Stored with the first stage, so that the scripts can check which cluster the state belongs to.
  depends_on = [module.vpc]
}

output "region" {
  description = "Region of the cluster."
  value       = var.region
  depends_on  = [module.vpc]
}

output "zones" {
  description = "Availability zones of the cluster, which install.sh passes as the variable zones."
  value       = local.zones
}

output "configure_kubectl" {
  description = "The command that configures kubectl for the cluster."
  value       = "aws eks update-kubeconfig --region ${var.region} --name ${coalesce(var.existing_cluster_name, var.name)}"
}

output "model_store" {
  description = "Name of the bucket of weights and compiled artifacts."
  value       = module.model_store.bucket
}

output "registry" {
  description = "Registry of the images: <registry>/neuron, <registry>/gateway, <registry>/webui."
  value       = local.registry
}

output "image_build" {
  description = "CodeBuild project that images.sh --build starts; null without enable_image_build."
  value       = one(module.image_build[*].project)
}

output "valkey_address" {
  description = "redisAddress for the component gcs-ft; null without enable_valkey."
  value       = one(module.addons[*].valkey_address)
}

output "grafana_port_forward" {
  description = "The command that forwards Grafana to http://127.0.0.1:3000; null without enable_monitoring, and in a cluster that existed."
  value       = var.enable_monitoring && var.existing_cluster_name == null ? "kubectl --namespace monitoring port-forward service/kube-prometheus-stack-grafana 3000:80" : null
}
