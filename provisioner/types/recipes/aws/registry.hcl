resource "aws_ecr_repository" "this" {
  name                 = full
  image_tag_mutability = field.immutable_tags ? "IMMUTABLE" : "MUTABLE"
  tags                 = tags

  image_scanning_configuration {
    scan_on_push = field.scan
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "what has no tag any more"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = field.keep_untagged_days }
      action       = { type = "expire" }
    }]
  })
}

out {
  id  = aws_ecr_repository.this.arn
  url = aws_ecr_repository.this.repository_url
}
