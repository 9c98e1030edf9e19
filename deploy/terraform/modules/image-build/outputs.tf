output "project" {
  value = aws_codebuild_project.images.name
}
