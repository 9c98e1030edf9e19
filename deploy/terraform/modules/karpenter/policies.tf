# The controller's permissions. Three documents, since one would exceed IAM's limit.

locals {
  ec2     = "arn:${var.partition}:ec2:${var.region}"
  account = "arn:${var.partition}:iam::${var.account_id}"
  owned   = "kubernetes.io/cluster/${var.name}"

  # Resources that a launch creates; each has the tags of the cluster and of a node pool.
  launched = [for kind in [
    "fleet", "instance", "launch-template", "network-interface", "spot-instances-request", "volume",
  ] : "${local.ec2}:*:${kind}/*"]

  request_is_ours = {
    "aws:RequestTag/${local.owned}"       = "owned"
    "aws:RequestTag/eks:eks-cluster-name" = var.name
  }
  resource_is_ours = { "aws:ResourceTag/${local.owned}" = "owned" }
  request_names    = { "aws:RequestTag/karpenter.sh/nodepool" = "*" }
  resource_names   = { "aws:ResourceTag/karpenter.sh/nodepool" = "*" }

  # An instance profile is global, so its region is in a tag.
  profile_request = merge(local.request_is_ours, { "aws:RequestTag/topology.kubernetes.io/region" = var.region })
  profile_is_ours = merge(local.resource_is_ours, { "aws:ResourceTag/topology.kubernetes.io/region" = var.region })

  policies = {
    nodes     = local.node_statements
    profiles  = local.profile_statements
    discovery = local.discovery_statements
  }

  node_statements = [
    {
      Sid    = "LaunchFrom"
      Effect = "Allow"
      Action = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource = [
        "${local.ec2}::image/*", "${local.ec2}::snapshot/*",
        "${local.ec2}:*:capacity-reservation/*", "${local.ec2}:*:placement-group/*",
        "${local.ec2}:*:security-group/*", "${local.ec2}:*:subnet/*",
      ]
    },
    {
      Sid       = "LaunchFromOwnTemplates"
      Effect    = "Allow"
      Action    = ["ec2:CreateFleet", "ec2:RunInstances"]
      Resource  = "${local.ec2}:*:launch-template/*"
      Condition = { StringEquals = local.resource_is_ours, StringLike = local.resource_names }
    },
    {
      Sid       = "LaunchWithTags"
      Effect    = "Allow"
      Action    = ["ec2:CreateFleet", "ec2:CreateLaunchTemplate", "ec2:RunInstances"]
      Resource  = local.launched
      Condition = { StringEquals = local.request_is_ours, StringLike = local.request_names }
    },
    {
      Sid      = "TagWhatIsLaunched"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = local.launched
      Condition = {
        StringEquals = merge(local.request_is_ours, {
          "ec2:CreateAction" = ["CreateFleet", "CreateLaunchTemplate", "RunInstances"]
        })
        StringLike = local.request_names
      }
    },
    {
      Sid      = "NameOwnInstances"
      Effect   = "Allow"
      Action   = "ec2:CreateTags"
      Resource = "${local.ec2}:*:instance/*"
      Condition = {
        StringEquals                = local.resource_is_ours
        StringLike                  = local.resource_names
        StringEqualsIfExists        = { "aws:RequestTag/eks:eks-cluster-name" = var.name }
        "ForAllValues:StringEquals" = { "aws:TagKeys" = ["Name", "eks:eks-cluster-name", "karpenter.sh/nodeclaim"] }
      }
    },
    {
      Sid       = "DeleteOwn"
      Effect    = "Allow"
      Action    = ["ec2:DeleteLaunchTemplate", "ec2:TerminateInstances"]
      Resource  = ["${local.ec2}:*:instance/*", "${local.ec2}:*:launch-template/*"]
      Condition = { StringEquals = local.resource_is_ours, StringLike = local.resource_names }
    },
  ]

  profile_statements = [
    {
      Sid       = "PassTheNodeRole"
      Effect    = "Allow"
      Action    = "iam:PassRole"
      Resource  = "${local.account}:role/karpenterNode-${var.name}"
      Condition = { StringEquals = { "iam:PassedToService" = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"] } }
    },
    {
      Sid      = "CreateProfiles"
      Effect   = "Allow"
      Action   = "iam:CreateInstanceProfile"
      Resource = "${local.account}:instance-profile/*"
      Condition = {
        StringEquals = local.profile_request
        StringLike   = { "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass" = "*" }
      }
    },
    {
      Sid      = "TagOwnProfiles"
      Effect   = "Allow"
      Action   = "iam:TagInstanceProfile"
      Resource = "${local.account}:instance-profile/*"
      Condition = {
        StringEquals = merge(local.profile_request, local.profile_is_ours)
        StringLike = {
          "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass"  = "*"
          "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass" = "*"
        }
      }
    },
    {
      Sid      = "ChangeOwnProfiles"
      Effect   = "Allow"
      Action   = ["iam:AddRoleToInstanceProfile", "iam:DeleteInstanceProfile", "iam:RemoveRoleFromInstanceProfile"]
      Resource = "${local.account}:instance-profile/*"
      Condition = {
        StringEquals = local.profile_is_ours
        StringLike   = { "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass" = "*" }
      }
    },
    {
      Sid      = "ReadProfiles"
      Effect   = "Allow"
      Action   = "iam:GetInstanceProfile"
      Resource = "${local.account}:instance-profile/*"
    },
    {
      Sid      = "ListProfiles"
      Effect   = "Allow"
      Action   = "iam:ListInstanceProfiles"
      Resource = "*"
    },
  ]

  discovery_statements = [
    {
      Sid    = "DescribeInTheRegion"
      Effect = "Allow"
      Action = [
        "ec2:DescribeCapacityReservations", "ec2:DescribeImages", "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplates", "ec2:DescribePlacementGroups", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSpotPriceHistory", "ec2:DescribeSubnets",
      ]
      Resource  = "*"
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
    {
      Sid      = "FindImages"
      Effect   = "Allow"
      Action   = "ssm:GetParameter"
      Resource = "arn:${var.partition}:ssm:${var.region}::parameter/aws/service/*"
    },
    {
      Sid      = "ReadPrices"
      Effect   = "Allow"
      Action   = "pricing:GetProducts"
      Resource = "*"
    },
    {
      Sid      = "FindTheCluster"
      Effect   = "Allow"
      Action   = "eks:DescribeCluster"
      Resource = local.cluster_arn
    },
    {
      Sid       = "SeeZonalShifts"
      Effect    = "Allow"
      Action    = "arc-zonal-shift:GetManagedResource"
      Resource  = "*"
      Condition = { StringEquals = { "arc-zonal-shift:ResourceIdentifier" = local.cluster_arn } }
    },
    {
      Sid      = "ReadInterruptions"
      Effect   = "Allow"
      Action   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
      Resource = local.queue_arn
    },
  ]

  cluster_arn = "arn:${var.partition}:eks:${var.region}:${var.account_id}:cluster/${var.name}"
  rule_arns   = "arn:${var.partition}:events:${var.region}:${var.account_id}:rule/${var.name}-karpenter-*"
  queue_arn   = "arn:${var.partition}:sqs:${var.region}:${var.account_id}:${var.name}-karpenter"
}
