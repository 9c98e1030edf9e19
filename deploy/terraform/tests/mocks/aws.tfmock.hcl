# Values of data sources; Terraform generates all others.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}

mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}

mock_data "aws_availability_zones" {
  defaults = { names = ["us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d"] }
}

mock_data "aws_ec2_instance_type_offerings" {
  defaults = { locations = ["us-west-2b", "us-west-2d"] }
}

mock_data "aws_subnets" {
  defaults = { ids = ["subnet-1", "subnet-2"] }
}

mock_data "aws_eks_addon_version" {
  defaults = { version = "v1.35.2-eksbuild.4" }
}

mock_resource "aws_eks_cluster" {
  defaults = {
    endpoint              = "https://cluster.invalid"
    certificate_authority = [{ data = "c3R1Yg==" }]
  }
}

mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
}

mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/mock" }
}
