# Builds the images in AWS from an archive of the repository, which images.sh uploads. A project costs nothing
# while it does not build.

locals {
  project = "${var.name}-images"
  arn     = "arn:${var.partition}:codebuild:${var.region}:${var.account_id}:project/${local.project}"
}

resource "aws_cloudwatch_log_group" "build" {
  name              = "/aws/codebuild/${local.project}"
  retention_in_days = 30
}

resource "aws_codebuild_project" "images" {
  name         = local.project
  description  = "Builds the images of ${var.name} and pushes them to ECR"
  service_role = aws_iam_role.build.arn
  # The default hour is short for 10 GB that are pulled, scanned and pushed.
  build_timeout = 120

  source {
    type      = "S3"
    location  = "${var.bucket}/builds/source.zip" # images.sh names the archive of each build
    buildspec = "deploy/docker/buildspec.yaml"
  }

  artifacts { type = "NO_ARTIFACTS" }

  environment {
    type            = "LINUX_CONTAINER"
    image           = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
    compute_type    = "BUILD_GENERAL1_LARGE" # 8 vCPUs and 128 GB of disk, for a base image of 10 GB
    privileged_mode = true                   # for Docker

    environment_variable {
      name  = "REGISTRY"
      value = var.registry
    }
    environment_variable {
      name  = "SBOM"
      value = "s3://${var.bucket}/sbom"
    }
  }

  logs_config {
    cloudwatch_logs { group_name = aws_cloudwatch_log_group.build.name }
  }

  # So that the first build has its permissions.
  depends_on = [aws_iam_role_policy.build]
}
