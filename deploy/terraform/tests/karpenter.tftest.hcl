mock_provider "aws" { source = "./tests/mocks" }
mock_provider "helm" {}

variables {
  name          = "gw"
  cluster_name  = "gw"
  endpoint      = "https://cluster.invalid"
  region        = "us-west-2"
  partition     = "aws"
  account_id    = "123456789012"
  chart_version = "1.14.1"
  values        = "replicas: 2"
}

run "names_that_manifests_use" {
  command = plan
  module { source = "./modules/karpenter" }

  assert {
    condition     = aws_iam_role.node.name == "karpenterNode-gw"
    error_message = "deploy/karpenter names another role"
  }
  assert {
    condition     = aws_eks_access_entry.node.type == "EC2_LINUX"
    error_message = "nodes of Karpenter may not join"
  }
  assert {
    condition     = aws_eks_pod_identity_association.controller.namespace == "kube-system" && aws_eks_pod_identity_association.controller.service_account == "karpenter"
    error_message = "the controller has no identity"
  }
  assert {
    condition = { for setting in helm_release.karpenter.set : setting.name => setting.value } == {
      "settings.clusterName"       = "gw"
      "settings.clusterEndpoint"   = "https://cluster.invalid"
      "settings.interruptionQueue" = "gw-karpenter"
    }
    error_message = "the chart has other values"
  }
  assert {
    condition     = helm_release.karpenter.version == "1.14.1" && helm_release.karpenter.namespace == "kube-system"
    error_message = "another chart or namespace"
  }
  assert {
    condition     = helm_release.karpenter_crd.version == "1.14.1" && helm_release.karpenter.skip_crds
    error_message = "CRDs would not be updated"
  }
  assert {
    condition     = aws_iam_role.controller.name == "gw-us-west-2-karpenter"
    error_message = "a cluster of this name in another region would conflict"
  }
}

run "nodes_are_repaired" {
  command = plan
  module { source = "./modules/karpenter" }
  variables { values = file("./helm-values/karpenter.yaml") }

  assert {
    condition     = yamldecode(helm_release.karpenter.values[0]).settings.featureGates.nodeRepair
    error_message = "nobody replaces a node with a broken Neuron device"
  }
}

run "what_the_controller_may_do" {
  command = plan
  module { source = "./modules/karpenter" }

  assert {
    condition = alltrue(flatten([
      for policy in output.policies : [
        for statement in jsondecode(policy).Statement : statement.Effect == "Allow" && !contains(flatten([statement.Action]), "*")
      ]
    ]))
    error_message = "a statement allows everything"
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(output.policies["nodes"]).Statement :
      contains(keys(statement), "Condition") || statement.Sid == "LaunchFrom"
    ])
    error_message = "the controller may change resources of others"
  }
  assert {
    condition     = one([for s in jsondecode(output.policies["profiles"]).Statement : s.Resource if s.Action == "iam:PassRole"]) == "arn:aws:iam::123456789012:role/karpenterNode-gw"
    error_message = "the controller may pass other roles"
  }
  assert {
    condition     = one([for s in jsondecode(output.policies["discovery"]).Statement : s.Resource if s.Sid == "ReadInterruptions"]) == "arn:aws:sqs:us-west-2:123456789012:gw-karpenter"
    error_message = "the controller reads another queue"
  }
}

run "interruptions" {
  command = plan
  module { source = "./modules/karpenter" }

  assert {
    condition     = length(aws_cloudwatch_event_rule.interruption) == 5
    error_message = "an event is missing"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.interruption["spot"].event_pattern)["detail-type"] == ["EC2 Spot Instance Interruption Warning"]
    error_message = "another event"
  }
  assert {
    condition     = aws_sqs_queue.interruptions.sqs_managed_sse_enabled
    error_message = "the queue is not encrypted"
  }
}

run "who_fills_the_queue" {
  command = apply
  module { source = "./modules/karpenter" }

  assert {
    condition = one([
      for s in jsondecode(aws_sqs_queue_policy.interruptions.policy).Statement : s if s.Sid == "Events"
      ]) == {
      Sid       = "Events"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:us-west-2:123456789012:gw-karpenter"
      Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:events:us-west-2:123456789012:rule/gw-karpenter-*" } }
    }
    error_message = "others than these rules may write to the queue"
  }
}
