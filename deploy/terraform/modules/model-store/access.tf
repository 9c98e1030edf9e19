# Replicas may read; the jobs that copy weights and compile may also write.

locals {
  read  = ["s3:GetObject"]
  write = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]

  access = {
    reader = { service_account = "neuron-gateway", actions = local.read }
    writer = { service_account = "model-writer", actions = local.write }
  }
}

resource "aws_iam_role" "access" {
  for_each = local.access

  name = "${var.name}-${var.region}-model-${each.key}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-name"           = var.cluster_name
          "aws:RequestTag/kubernetes-namespace"       = var.namespace
          "aws:RequestTag/kubernetes-service-account" = each.value.service_account
        }
      }
    }]
  })
}

resource "aws_iam_role_policy" "access" {
  for_each = local.access

  name = "models"
  role = aws_iam_role.access[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "List", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket_arn },
      { Sid = "Objects", Effect = "Allow", Action = each.value.actions, Resource = "${local.bucket_arn}/*" },
    ]
  })
}

resource "aws_eks_pod_identity_association" "access" {
  for_each = local.access

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = each.value.service_account
  role_arn        = aws_iam_role.access[each.key].arn

  depends_on = [aws_iam_role_policy.access]
}
