# The core nodes, for Karpenter, which cannot run on its own nodes, and for the operators. Karpenter
# creates the nodes with accelerators.

resource "aws_iam_role" "core" {
  name = "${var.name}-${var.region}-core-node"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "core" {
  for_each = toset([
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKS_CNI_Policy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonSSMManagedInstanceCore",
  ])

  role       = aws_iam_role.core.name
  policy_arn = "${local.policies}/${each.value}"
}

resource "aws_launch_template" "core" {
  name = "${var.name}-core"

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_type           = "gp3"
      volume_size           = 50
      encrypted             = true
      delete_on_termination = true
    }
  }

  # One hop: pods cannot use the node's role.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  dynamic "tag_specifications" {
    for_each = ["instance", "volume"]
    content {
      resource_type = tag_specifications.value
      tags          = merge(var.tags, { Name = "${var.name}-core" })
    }
  }
}

resource "aws_eks_node_group" "core" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "core"
  # Without it, nodes would keep the old version when the cluster is upgraded.
  version        = aws_eks_cluster.this.version
  node_role_arn  = aws_iam_role.core.arn
  subnet_ids     = var.subnet_ids
  ami_type       = "AL2023_x86_64_STANDARD"
  instance_types = [var.core_instance_type]
  labels         = { NodeGroupType = "core" }

  scaling_config {
    min_size     = 2
    desired_size = var.core_node_count
    max_size     = max(3, var.core_node_count)
  }

  update_config { max_unavailable = 1 }
  node_repair_config { enabled = true }

  launch_template {
    id      = aws_launch_template.core.id
    version = aws_launch_template.core.latest_version
  }

  # A node without network or identity would never become ready.
  depends_on = [aws_iam_role_policy_attachment.core, aws_eks_addon.before_nodes]
}
