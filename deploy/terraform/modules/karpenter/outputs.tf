output "node_role" {
  value = aws_iam_role.node.name
}

output "queue" {
  value = aws_sqs_queue.interruptions.name
}

output "policies" {
  value = { for key, policy in aws_iam_policy.controller : key => policy.policy }
}
