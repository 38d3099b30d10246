resource "aws_dynamodb_table" "this" {
  name                        = full
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = field.partition_key
  range_key                   = field.sort_key
  deletion_protection_enabled = field.protect
  tags                        = tags

  attribute {
    name = field.partition_key
    type = "S"
  }

  attribute {
    when = field.sort_key != null
    name = field.sort_key
    type = "S"
  }

  point_in_time_recovery {
    enabled = field.backup
  }

  server_side_encryption {
    enabled = true
  }
}

out {
  id   = aws_dynamodb_table.this.arn
  name = aws_dynamodb_table.this.name
}
