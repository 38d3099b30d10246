variable "this_value" {
  description = "The value of ${address}."
  type        = string
  sensitive   = true
}

resource "aws_kms_key" "this" {
  description             = "Grid: ${address}"
  enable_key_rotation     = true
  deletion_window_in_days = field.recovery_days
  tags                    = tags
}

resource "aws_secretsmanager_secret" "this" {
  name                    = full
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = field.recovery_days
  tags                    = tags
}

resource "aws_secretsmanager_secret_version" "this" {
  secret_id     = aws_secretsmanager_secret.this.id
  secret_string = var.this_value
}

resource "aws_iam_role_policy" "this_reader" {
  when     = length(field.readers) > 0
  for_each = { for r in field.readers : r.name => r.role_name }
  name     = "${full}-read"
  role     = each.value

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = aws_secretsmanager_secret.this.arn },
      { Effect = "Allow", Action = "kms:Decrypt", Resource = aws_kms_key.this.arn },
    ]
  })
}

out {
  id = aws_secretsmanager_secret.this.arn
}
