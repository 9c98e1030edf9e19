mock_provider "aws" { source = "./tests/mocks" }

variables {
  name                 = "gw"
  region               = "us-west-2"
  partition            = "aws"
  eks_version          = "1.35"
  subnet_ids           = ["subnet-a", "subnet-b"]
  service_cidr         = "172.20.0.0/16"
  public_access_cidrs  = ["203.0.113.7/32"]
  admin_principal_arns = ["arn:aws:iam::123456789012:role/admin"]
  control_plane_logs   = ["audit", "authenticator"]
  log_retention_days   = 30
  core_instance_type   = "m6i.large"
  core_node_count      = 3
  tags                 = { "neuron-gateway/cluster" = "gw" }
}

run "who_gets_in" {
  command = plan
  module { source = "./modules/eks" }

  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API"
    error_message = "the aws-auth ConfigMap is used"
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "the creator of the cluster has no access"
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["203.0.113.7/32"])
    error_message = "the API server is open to other networks"
  }
  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access
    error_message = "nodes would reach the API server over the internet"
  }
  assert {
    condition     = endswith(aws_eks_access_policy_association.admin["arn:aws:iam::123456789012:role/admin"].policy_arn, "/AmazonEKSClusterAdminPolicy")
    error_message = "an administrator has no access"
  }
}

run "secrets_and_logs" {
  command = plan
  module { source = "./modules/eks" }

  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].resources == toset(["secrets"])
    error_message = "Secrets are not encrypted with the cluster's key"
  }
  assert {
    condition     = aws_kms_key.secrets.enable_key_rotation
    error_message = "the key is never rotated"
  }
  assert {
    condition     = aws_eks_cluster.this.enabled_cluster_log_types == toset(["audit", "authenticator"])
    error_message = "other logs than those configured"
  }
  assert {
    condition     = aws_cloudwatch_log_group.control_plane.name == "/aws/eks/gw/cluster"
    error_message = "EKS would create another log group"
  }
}

run "addons_follow_the_cluster" {
  command = plan
  module { source = "./modules/eks" }

  assert {
    condition     = alltrue([for addon in concat(values(aws_eks_addon.before_nodes), values(aws_eks_addon.with_nodes), [aws_eks_addon.ebs_csi]) : addon.addon_version == "v1.35.2-eksbuild.4"])
    error_message = "an addon keeps its first version"
  }
  assert {
    condition     = alltrue([for version in values(data.aws_eks_addon_version.default) : version.kubernetes_version == "1.35"])
    error_message = "the versions are for another Kubernetes"
  }
}

run "core_nodes" {
  command = plan
  module { source = "./modules/eks" }

  assert {
    condition     = aws_eks_node_group.core.labels["NodeGroupType"] == "core"
    error_message = "operators cannot be scheduled"
  }
  assert {
    condition     = aws_eks_node_group.core.version == "1.35"
    error_message = "nodes would keep an older version than the cluster"
  }
  assert {
    condition     = aws_iam_role.core.name == "gw-us-west-2-core-node" && aws_iam_role.cluster.name == "gw-us-west-2-cluster"
    error_message = "a cluster of this name in another region would conflict"
  }
  assert {
    condition     = aws_eks_node_group.core.ami_type == "AL2023_x86_64_STANDARD"
    error_message = "another AMI"
  }
  assert {
    condition     = aws_eks_node_group.core.node_repair_config[0].enabled
    error_message = "node repair is off"
  }
  assert {
    condition     = aws_eks_node_group.core.scaling_config[0].desired_size == 3
    error_message = "not the configured number of nodes"
  }
  assert {
    condition     = aws_launch_template.core.metadata_options[0].http_tokens == "required" && aws_launch_template.core.metadata_options[0].http_put_response_hop_limit == 1
    error_message = "pods can use the node's role"
  }
  assert {
    condition     = tobool(aws_launch_template.core.block_device_mappings[0].ebs[0].encrypted)
    error_message = "the disk is not encrypted"
  }
}

run "addons" {
  command = plan
  module { source = "./modules/eks" }

  assert {
    condition     = toset(keys(aws_eks_addon.before_nodes)) == toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"])
    error_message = "nodes would start without network or identity"
  }
  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "network policies would not be enforced"
  }
  assert {
    condition     = alltrue([for name in ["coredns", "metrics-server"] : contains(keys(aws_eks_addon.with_nodes), name)])
    error_message = "an addon is missing"
  }
  assert {
    condition     = jsondecode(aws_eks_addon.ebs_csi.configuration_values).controller.extraVolumeTags["neuron-gateway/cluster"] == "gw"
    error_message = "cleanup.sh would not find volumes"
  }
  assert {
    condition     = !jsondecode(aws_eks_addon.ebs_csi.configuration_values).defaultStorageClass.enabled
    error_message = "a second default class, without encryption"
  }
}

run "one_group_for_nodes" {
  command = apply
  module { source = "./modules/eks" }

  assert {
    condition     = aws_ec2_tag.discovery.resource_id == aws_eks_cluster.this.vpc_config[0].cluster_security_group_id
    error_message = "the tag is on another group than the cluster's own"
  }
  assert {
    condition     = aws_ec2_tag.discovery.key == "karpenter.sh/discovery" && aws_ec2_tag.discovery.value == "gw"
    error_message = "Karpenter finds no security group for its nodes"
  }
}
