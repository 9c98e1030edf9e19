terraform {
  required_version = ">= 1.9"
  required_providers {
    aws  = { source = "hashicorp/aws", version = "~> 6.28" }
    helm = { source = "hashicorp/helm", version = "~> 3.1" }
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = local.tags }
}

# A token is asked for at each call: one that is read once expires during a long apply.
provider "helm" {
  kubernetes = {
    host                   = module.eks.endpoint
    cluster_ca_certificate = base64decode(module.eks.certificate_authority)
    exec = {
      api_version = "client.authentication.k8s.io/v1beta1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", var.name, "--region", var.region]
    }
  }
}
