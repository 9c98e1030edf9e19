# For modules that install into the cluster: depends on nodes and addons.
output "cluster_name" {
  value = aws_eks_cluster.this.name
  depends_on = [
    aws_eks_node_group.core,
    aws_eks_addon.before_nodes,
    aws_eks_addon.with_nodes,
    aws_eks_addon.ebs_csi,
    aws_ec2_tag.discovery,
  ]
}

output "endpoint" {
  value = aws_eks_cluster.this.endpoint
}

output "certificate_authority" {
  value = aws_eks_cluster.this.certificate_authority[0].data
}

output "security_group_id" {
  value = aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
}
