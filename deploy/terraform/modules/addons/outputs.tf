output "valkey_address" {
  value = var.enable_valkey ? "rediss://${aws_elasticache_replication_group.valkey[0].primary_endpoint_address}:6379" : null
}

output "load_balancer_policies" {
  value = { for key, policy in aws_iam_policy.load_balancer : key => policy.policy }
}
