# Storage of the tables of Ray's head, with which a new head continues the old cluster (component gcs-ft).
# Encrypted in transit and at rest; only the cluster's nodes can connect, with the password.

resource "aws_security_group" "valkey" {
  count = var.enable_valkey ? 1 : 0

  name        = "${var.name}-valkey"
  description = "Valkey of ${var.name}"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "valkey" {
  count = var.enable_valkey ? 1 : 0

  security_group_id            = aws_security_group.valkey[0].id
  referenced_security_group_id = var.security_group_id
  description                  = "Pods of the cluster"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
}

resource "aws_elasticache_subnet_group" "valkey" {
  count = var.enable_valkey ? 1 : 0

  name       = "${var.name}-valkey"
  subnet_ids = var.subnet_ids
}

resource "aws_elasticache_replication_group" "valkey" {
  count = var.enable_valkey ? 1 : 0

  replication_group_id       = "${var.name}-valkey"
  description                = "Fault tolerance of Ray's head in ${var.name}"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.valkey_node_type
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  auth_token                 = var.valkey_password
  port                       = 6379
  subnet_group_name          = aws_elasticache_subnet_group.valkey[0].name
  security_group_ids         = [aws_security_group.valkey[0].id]
}
