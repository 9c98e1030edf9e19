# Each addon has EKS's default version for the Kubernetes version. Without a version it would keep its first
# one: an upgrade of the cluster would leave kube-proxy, the CNI and the drivers behind.
data "aws_eks_addon_version" "default" {
  for_each = toset(concat(keys(local.before_nodes), keys(local.with_nodes), ["aws-ebs-csi-driver"]))

  addon_name         = each.key
  kubernetes_version = var.eks_version
}

locals {
  before_nodes = {
    # The CNI enforces the network policies of deploy/k8s only with this setting.
    "vpc-cni"                = jsonencode({ enableNetworkPolicy = "true" })
    "kube-proxy"             = null
    "eks-pod-identity-agent" = null
  }
  with_nodes = {
    "coredns"                   = null
    "eks-node-monitoring-agent" = null
    "metrics-server"            = null
  }
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = data.aws_eks_addon_version.default[each.key].version
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
}

resource "aws_eks_addon" "with_nodes" {
  for_each = local.with_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = data.aws_eks_addon_version.default[each.key].version
  configuration_values        = each.value
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.core]
}

resource "aws_iam_role" "ebs_csi" {
  name = "${var.name}-${var.region}-ebs-csi"
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
          "aws:RequestTag/kubernetes-service-account" = "ebs-csi-controller-sa"
        }
      }
    }]
  })
}

# The second version of the policy limits the driver to volumes that it created.
resource "aws_iam_role_policy_attachment" "ebs_csi" {
  role       = aws_iam_role.ebs_csi.name
  policy_arn = "${local.policies}/AmazonEBSCSIDriverPolicyV2"
}

resource "aws_eks_addon" "ebs_csi" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "aws-ebs-csi-driver"
  addon_version               = data.aws_eks_addon_version.default["aws-ebs-csi-driver"].version
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  configuration_values = jsonencode({
    # The driver's default class does not encrypt; modules/addons/storage-class replaces it.
    defaultStorageClass = { enabled = false }
    # cleanup.sh finds volumes by these tags.
    controller = { extraVolumeTags = var.tags }
  })

  pod_identity_association {
    role_arn        = aws_iam_role.ebs_csi.arn
    service_account = "ebs-csi-controller-sa"
  }

  depends_on = [aws_eks_node_group.core, aws_iam_role_policy_attachment.ebs_csi]
}
