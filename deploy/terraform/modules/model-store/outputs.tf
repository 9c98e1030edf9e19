output "bucket" {
  value = aws_s3_bucket.models.bucket
}

output "repository_arns" {
  value = [for each in aws_ecr_repository.image : each.arn]
}
