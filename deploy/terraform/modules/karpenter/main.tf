resource "aws_iam_role" "controller" {
  name = "${var.name}-${var.region}-karpenter"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-name"           = var.name
          "aws:RequestTag/kubernetes-namespace"       = "kube-system"
          "aws:RequestTag/kubernetes-service-account" = "karpenter"
        }
      }
    }]
  })
}

resource "aws_iam_policy" "controller" {
  for_each = local.policies

  name   = "${var.name}-${var.region}-karpenter-${each.key}"
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role_policy_attachment" "controller" {
  for_each = local.policies

  role       = aws_iam_role.controller.name
  policy_arn = aws_iam_policy.controller[each.key].arn
}

resource "aws_eks_pod_identity_association" "controller" {
  cluster_name    = var.cluster_name
  namespace       = "kube-system"
  service_account = "karpenter"
  role_arn        = aws_iam_role.controller.arn
}

# A chart of its own: Helm installs the CRDs that are bundled with a chart, and never updates them.
resource "helm_release" "karpenter_crd" {
  name            = "karpenter-crd"
  repository      = "oci://public.ecr.aws/karpenter"
  chart           = "karpenter-crd"
  version         = var.chart_version
  namespace       = "kube-system"
  upgrade_install = true
  # Takes over CRDs that an earlier release of the main chart installed.
  take_ownership = true
}

resource "helm_release" "karpenter" {
  name            = "karpenter"
  repository      = "oci://public.ecr.aws/karpenter"
  chart           = "karpenter"
  version         = var.chart_version
  namespace       = "kube-system"
  timeout         = 600
  atomic          = true
  upgrade_install = true
  skip_crds       = true
  values          = [var.values]

  set = [
    { name = "settings.clusterName", value = var.cluster_name },
    { name = "settings.clusterEndpoint", value = var.endpoint },
    { name = "settings.interruptionQueue", value = aws_sqs_queue.interruptions.name },
  ]

  # Deleted in the reverse order: Karpenter needs its permissions until it is uninstalled.
  depends_on = [
    aws_cloudwatch_event_target.interruption,
    aws_eks_access_entry.node,
    aws_eks_pod_identity_association.controller,
    aws_iam_role_policy_attachment.controller,
    aws_iam_role_policy_attachment.node,
    aws_sqs_queue_policy.interruptions,
    helm_release.karpenter_crd,
  ]
}
