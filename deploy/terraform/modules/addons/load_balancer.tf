# The controller that creates an ALB for an Ingress. Its policy is limited to this cluster's resources.
# Shield, WAF Classic and Cognito are left out, and disabled in helm-values.

locals {
  elb      = "arn:${var.partition}:elasticloadbalancing:${var.region}:*"
  ec2      = "arn:${var.partition}:ec2:${var.region}:*"
  balancer = ["${local.elb}:loadbalancer/app/*/*", "${local.elb}:loadbalancer/net/*/*", "${local.elb}:targetgroup/*/*"]
  listener = flatten([for kind in ["app", "net"] : ["${local.elb}:listener/${kind}/*/*/*", "${local.elb}:listener-rule/${kind}/*/*/*"]])

  request_is_ours  = { "aws:RequestTag/elbv2.k8s.aws/cluster" = var.name }
  resource_is_ours = { "aws:ResourceTag/elbv2.k8s.aws/cluster" = var.name }

  # Two documents, since one would exceed IAM's limit.
  load_balancer_policies = {
    for key, statements in { read = local.read_statements, change = local.change_statements } :
    key => statements if var.enable_load_balancer_controller
  }

  read_statements = [
    {
      Sid    = "Read"
      Effect = "Allow"
      Action = [
        "acm:DescribeCertificate", "acm:ListCertificates",
        "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones",
        "ec2:DescribeCoipPools", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
        "ec2:DescribeIpamPools", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags",
        "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs", "ec2:GetCoipPoolUsage",
        "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeCapacityReservation",
        "elasticloadbalancing:DescribeListenerAttributes",
        "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies",
        "elasticloadbalancing:DescribeTags",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth",
        "elasticloadbalancing:DescribeTrustStores",
        "iam:GetServerCertificate", "iam:ListServerCertificates",
        "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
      ]
      Resource = "*"
    },
  ]

  change_statements = [
    {
      Sid       = "ServiceRole"
      Effect    = "Allow"
      Action    = "iam:CreateServiceLinkedRole"
      Resource  = "*"
      Condition = { StringEquals = { "iam:AWSServiceName" = "elasticloadbalancing.amazonaws.com" } }
    },
    {
      # The rules that let a load balancer reach the nodes are in the cluster's security group, made by EKS.
      Sid       = "OpenTheCluster"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      Resource  = "${local.ec2}:security-group/*"
      Condition = { StringEquals = { "aws:ResourceTag/kubernetes.io/cluster/${var.name}" = "owned" } }
    },
    {
      Sid       = "OwnGroups"
      Effect    = "Allow"
      Action    = ["ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupIngress"]
      Resource  = "${local.ec2}:security-group/*"
      Condition = { StringEquals = local.resource_is_ours }
    },
    {
      Sid      = "CreateGroups"
      Effect   = "Allow"
      Action   = "ec2:CreateSecurityGroup"
      Resource = ["${local.ec2}:security-group/*", "${local.ec2}:vpc/${var.vpc_id}"]
    },
    {
      Sid       = "TagNewGroups"
      Effect    = "Allow"
      Action    = "ec2:CreateTags"
      Resource  = "${local.ec2}:security-group/*"
      Condition = { StringEquals = merge(local.request_is_ours, { "ec2:CreateAction" = "CreateSecurityGroup" }) }
    },
    {
      Sid       = "TagOwnGroups"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = "${local.ec2}:security-group/*"
      Condition = { StringEquals = local.resource_is_ours, Null = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "true" } }
    },
    {
      Sid       = "CreateBalancers"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      Resource  = "*"
      Condition = { StringEquals = local.request_is_ours }
    },
    {
      Sid      = "TagNewBalancers"
      Effect   = "Allow"
      Action   = "elasticloadbalancing:AddTags"
      Resource = local.balancer
      Condition = {
        StringEquals = merge(local.request_is_ours, {
          "elasticloadbalancing:CreateAction" = ["CreateLoadBalancer", "CreateTargetGroup"]
        })
      }
    },
    {
      Sid       = "TagOwnBalancers"
      Effect    = "Allow"
      Action    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource  = local.balancer
      Condition = { StringEquals = local.resource_is_ours, Null = { "aws:RequestTag/elbv2.k8s.aws/cluster" = "true" } }
    },
    {
      Sid      = "TagListeners"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      Resource = local.listener
    },
    {
      Sid    = "OwnBalancers"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyCapacityReservation", "elasticloadbalancing:ModifyIpPools",
        "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyLoadBalancerAttributes",
        "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:SetIpAddressType", "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
      ]
      Resource  = "*"
      Condition = { StringEquals = local.resource_is_ours }
    },
    {
      Sid    = "Listeners"
      Effect = "Allow"
      Action = [
        "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:CreateListener",
        "elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteRule", "elasticloadbalancing:ModifyListener",
        "elasticloadbalancing:ModifyRule", "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:SetRulePriorities",
      ]
      Resource = concat(local.balancer, local.listener)
    },
    {
      Sid      = "Firewall"
      Effect   = "Allow"
      Action   = ["wafv2:AssociateWebACL", "wafv2:DisassociateWebACL"]
      Resource = [local.balancer[0], "arn:${var.partition}:wafv2:${var.region}:*:regional/webacl/*/*"]
    },
    {
      Sid      = "Targets"
      Effect   = "Allow"
      Action   = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
      Resource = "${local.elb}:targetgroup/*/*"
    },
  ]
}

resource "aws_iam_role" "load_balancer" {
  count = var.enable_load_balancer_controller ? 1 : 0

  name = "${var.name}-${var.region}-load-balancer"
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
          "aws:RequestTag/kubernetes-service-account" = "aws-load-balancer-controller"
        }
      }
    }]
  })
}

resource "aws_iam_policy" "load_balancer" {
  for_each = local.load_balancer_policies

  name   = "${var.name}-${var.region}-load-balancer-${each.key}"
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role_policy_attachment" "load_balancer" {
  for_each = local.load_balancer_policies

  role       = aws_iam_role.load_balancer[0].name
  policy_arn = aws_iam_policy.load_balancer[each.key].arn
}

resource "aws_eks_pod_identity_association" "load_balancer" {
  count = var.enable_load_balancer_controller ? 1 : 0

  cluster_name    = var.cluster_name
  namespace       = "kube-system"
  service_account = "aws-load-balancer-controller"
  role_arn        = aws_iam_role.load_balancer[0].arn
}

resource "helm_release" "load_balancer" {
  count = var.enable_load_balancer_controller ? 1 : 0

  name            = "aws-load-balancer-controller"
  repository      = "https://aws.github.io/eks-charts"
  chart           = "aws-load-balancer-controller"
  version         = var.load_balancer_controller_chart_version
  namespace       = "kube-system"
  timeout         = 600
  atomic          = true
  upgrade_install = true
  values          = [file("${var.values_folder}/aws-load-balancer-controller.yaml")]

  # Region and VPC are set, since pods cannot reach the instance's metadata service.
  set = [
    { name = "clusterName", value = var.cluster_name },
    { name = "region", value = var.region },
    { name = "vpcId", value = var.vpc_id },
  ]

  depends_on = [aws_eks_pod_identity_association.load_balancer, aws_iam_role_policy_attachment.load_balancer]
}
