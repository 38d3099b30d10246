data "aws_caller_identity" "current" {}

resource "aws_s3_bucket" "this" {
  bucket = "${short(48)}-${data.aws_caller_identity.current.account_id}"
  tags   = tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  when   = field.versioning
  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  when   = field.expire_days != null || field.class == "infrequent"
  bucket = aws_s3_bucket.this.id

  rule {
    when   = field.class == "infrequent"
    id     = "infrequent"
    status = "Enabled"

    filter {}

    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }
  }

  rule {
    when   = field.expire_days != null
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = field.expire_days
    }

    noncurrent_version_expiration {
      when            = field.versioning
      noncurrent_days = 30
    }
  }
}

out {
  id     = aws_s3_bucket.this.id
  name   = aws_s3_bucket.this.bucket
  url    = "https://${aws_s3_bucket.this.bucket_regional_domain_name}"
  arn    = aws_s3_bucket.this.arn
  domain = aws_s3_bucket.this.bucket_regional_domain_name
}
