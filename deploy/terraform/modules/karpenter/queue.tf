# EC2 announces interruptions of instances in this queue; Karpenter reads it and moves the pods in time.

resource "aws_sqs_queue" "interruptions" {
  name                      = "${var.name}-karpenter"
  message_retention_seconds = 300
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "interruptions" {
  queue_url = aws_sqs_queue.interruptions.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "Events"
        Effect    = "Allow"
        Principal = { Service = "events.amazonaws.com" }
        Action    = "sqs:SendMessage"
        Resource  = local.queue_arn
        Condition = { ArnLike = { "aws:SourceArn" = local.rule_arns } }
      },
      {
        Sid       = "OnlyEncrypted"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = local.queue_arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

locals {
  events = {
    health      = { source = "aws.health", type = "AWS Health Event" }
    rebalance   = { source = "aws.ec2", type = "EC2 Instance Rebalance Recommendation" }
    reservation = { source = "aws.ec2", type = "EC2 Capacity Reservation Instance Interruption Warning" }
    spot        = { source = "aws.ec2", type = "EC2 Spot Instance Interruption Warning" }
    state       = { source = "aws.ec2", type = "EC2 Instance State-change Notification" }
  }
}

resource "aws_cloudwatch_event_rule" "interruption" {
  for_each = local.events

  name          = "${var.name}-karpenter-${each.key}"
  event_pattern = jsonencode({ source = [each.value.source], "detail-type" = [each.value.type] })
}

resource "aws_cloudwatch_event_target" "interruption" {
  for_each = local.events

  rule      = aws_cloudwatch_event_rule.interruption[each.key].name
  target_id = "karpenter"
  arn       = aws_sqs_queue.interruptions.arn
}
