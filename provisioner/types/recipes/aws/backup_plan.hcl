resource "aws_backup_vault" "this" {
  name = full
  tags = tags
}

resource "aws_backup_plan" "this" {
  name = full
  tags = tags

  rule {
    rule_name         = "daily"
    target_vault_name = aws_backup_vault.this.name
    schedule          = "cron(0 ${field.hour} * * ? *)"

    lifecycle {
      delete_after = field.keep_days
    }
  }
}

resource "aws_iam_role" "this_backup" {
  when = length(field.disks) > 0
  name = "${short(48)}-backup"
  tags = tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "backup.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this_backup" {
  when       = length(field.disks) > 0
  role       = aws_iam_role.this_backup.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup"
}

resource "aws_backup_selection" "this" {
  when         = length(field.disks) > 0
  name         = full
  plan_id      = aws_backup_plan.this.id
  iam_role_arn = aws_iam_role.this_backup.arn
  resources    = field.disks[*].arn
}

out {
  id = aws_backup_plan.this.arn
}
