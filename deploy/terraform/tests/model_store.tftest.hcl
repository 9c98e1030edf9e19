mock_provider "aws" { source = "./tests/mocks" }

variables {
  name         = "gw"
  region       = "us-west-2"
  bucket       = "gw-models-123456789012-us-west-2"
  partition    = "aws"
  cluster_name = "gw"
  namespace    = "neuron-gateway"
}

run "who_reads_and_who_writes" {
  command = plan
  module { source = "./modules/model-store" }

  assert {
    condition = { for key, each in aws_eks_pod_identity_association.access : key => each.service_account } == {
      reader = "neuron-gateway"
      writer = "model-writer"
    }
    error_message = "other service accounts than those of deploy/k8s"
  }
  assert {
    condition     = alltrue([for each in aws_eks_pod_identity_association.access : each.namespace == "neuron-gateway"])
    error_message = "another namespace than that of deploy/k8s"
  }
  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.access["reader"].policy).Statement : s.Action]) == ["s3:ListBucket", "s3:GetObject"]
    error_message = "a reader may write"
  }
  assert {
    condition     = contains(flatten([for s in jsondecode(aws_iam_role_policy.access["writer"].policy).Statement : s.Action]), "s3:PutObject")
    error_message = "a writer may not write"
  }
  assert {
    condition     = jsondecode(aws_iam_role.access["reader"].assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == "neuron-gateway"
    error_message = "any service account can use the role"
  }
}

run "roles_are_for_the_cluster_that_exists" {
  command = plan
  module { source = "./modules/model-store" }
  variables { cluster_name = "platform" }

  assert {
    condition     = alltrue([for each in aws_eks_pod_identity_association.access : each.cluster_name == "platform"])
    error_message = "the roles are offered to another cluster"
  }
  assert {
    condition = alltrue([
      for each in aws_iam_role.access : jsondecode(each.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/eks-cluster-name"] == "platform"
    ])
    error_message = "pods of another cluster can use the roles"
  }
}

run "the_bucket_is_closed" {
  command = plan
  module { source = "./modules/model-store" }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.models.block_public_acls,
      aws_s3_bucket_public_access_block.models.block_public_policy,
      aws_s3_bucket_public_access_block.models.ignore_public_acls,
      aws_s3_bucket_public_access_block.models.restrict_public_buckets,
    ])
    error_message = "the bucket can be made public"
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.models.policy).Statement[0].Effect == "Deny"
    error_message = "the bucket answers unencrypted requests"
  }
}

run "images" {
  command = plan
  module { source = "./modules/model-store" }

  assert {
    condition     = toset([for each in aws_ecr_repository.image : each.name]) == toset(["gw/neuron", "gw/gateway", "gw/webui"])
    error_message = "other repositories than those of deploy/README.md"
  }
  assert {
    condition     = alltrue([for each in aws_ecr_repository.image : each.image_tag_mutability == "IMMUTABLE"])
    error_message = "a tag can change its image"
  }
  assert {
    condition     = [for rule in jsondecode(aws_ecr_lifecycle_policy.image["neuron"].policy).rules : rule.selection.tagStatus] == ["untagged"]
    error_message = "the lifecycle of images changed"
  }
}
