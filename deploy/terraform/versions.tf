terraform {
  required_version = ">= 1.9"
  # Stores the state in a bucket instead of this folder, for a team.
  # backend "s3" {
  #   bucket       = "my-terraform-states"
  #   key          = "neuron-gateway/terraform.tfstate"
  #   region       = "us-west-2"
  #   use_lockfile = true
  # }
  required_providers {
    aws  = { source = "hashicorp/aws", version = "~> 6.28" }
    helm = { source = "hashicorp/helm", version = "~> 3.1" }
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = local.tags }
}

# A token for each call: one that is read once expires during a long apply. Into a cluster that exists no chart
# is installed.
provider "helm" {
  kubernetes = {
    host                   = one(module.eks[*].endpoint)
    cluster_ca_certificate = try(base64decode(module.eks[0].certificate_authority), null)
    exec = {
      api_version = "client.authentication.k8s.io/v1beta1"
      command     = "aws"
      args        = ["eks", "get-token", "--cluster-name", var.name, "--region", var.region]
    }
  }
}
