mock_provider "aws" { source = "./tests/mocks" }
mock_provider "helm" {}

variables {
  public_access_cidrs = ["198.18.0.7/32"]
  name                = "chat"
  region              = "us-west-2"
  partition           = "aws"
  account_id          = "123456789012"
  bucket              = "chat-models"
  registry            = "123456789012.dkr.ecr.us-west-2.amazonaws.com/chat"
  repository_arns     = ["arn:aws:ecr:us-west-2:123456789012:repository/chat/neuron"]
}

run "a_build_may_push_these_images_and_no_more" {
  command = apply
  module { source = "./modules/image-build" }

  assert {
    condition = {
      for s in jsondecode(aws_iam_role_policy.build.policy).Statement : s.Sid => s.Resource if s.Sid != "Log"
      } == {
      Source       = "arn:aws:s3:::chat-models/builds/*"
      SourceBucket = "arn:aws:s3:::chat-models"
      Contents     = "arn:aws:s3:::chat-models/sbom/*"
      Login        = "*"
      Push         = ["arn:aws:ecr:us-west-2:123456789012:repository/chat/neuron"]
    }
    error_message = "a build reaches more than its archive, its lists of contents and these repositories"
  }
  assert {
    condition = alltrue([
      for action in flatten([for s in jsondecode(aws_iam_role_policy.build.policy).Statement : s.Action]) :
      !can(regex("Delete|Policy|iam:", action)) && !can(regex("\\*", action))
    ])
    error_message = "a build may delete or hand on permissions"
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.build.policy).Statement : s.Action if s.Resource == "*"] == ["ecr:GetAuthorizationToken"]
    error_message = "an action other than the login is allowed everywhere"
  }
  assert {
    condition = jsondecode(aws_iam_role.build.assume_role_policy).Statement[0].Condition.StringEquals == {
      "aws:SourceArn" = "arn:aws:codebuild:us-west-2:123456789012:project/chat-images"
    }
    error_message = "another project can use the role"
  }
}

run "the_machine_can_build_the_images" {
  command = apply
  module { source = "./modules/image-build" }

  assert {
    condition     = aws_codebuild_project.images.environment[0].type == "LINUX_CONTAINER" && strcontains(aws_codebuild_project.images.environment[0].image, "x86_64")
    error_message = "inf2 has x86 processors"
  }
  assert {
    condition     = aws_codebuild_project.images.environment[0].privileged_mode
    error_message = "Docker needs a privileged build"
  }
  assert {
    # Small has 64 GB of disk.
    condition     = contains(["BUILD_GENERAL1_LARGE", "BUILD_GENERAL1_XLARGE"], aws_codebuild_project.images.environment[0].compute_type)
    error_message = "the base image of 10 GB does not fit the disk or takes hours"
  }
  assert {
    condition     = aws_codebuild_project.images.source[0].type == "S3" && startswith(aws_codebuild_project.images.source[0].location, "chat-models/builds/")
    error_message = "the archive is where the build may not read"
  }
  assert {
    condition = { for each in aws_codebuild_project.images.environment[0].environment_variable : each.name => each.value } == {
      REGISTRY = "123456789012.dkr.ecr.us-west-2.amazonaws.com/chat"
      SBOM     = "s3://chat-models/sbom"
    }
    error_message = "build.sh reads other variables"
  }
  assert {
    condition     = aws_codebuild_project.images.logs_config[0].cloudwatch_logs[0].group_name == "/aws/codebuild/chat-images"
    error_message = "the log is where the build may not write"
  }
}

run "without_the_variable_there_is_no_project" {
  command = plan

  assert {
    condition     = length(module.image_build) == 0 && output.image_build == null
    error_message = "a project that nobody asked for"
  }
}

run "with_it_the_project_is_named_for_images_sh" {
  command = apply
  variables { enable_image_build = true }

  assert {
    condition     = output.image_build == "chat-images"
    error_message = "images.sh finds no project"
  }
}
