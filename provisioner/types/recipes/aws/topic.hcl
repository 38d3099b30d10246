resource "aws_sns_topic" "this" {
  name = full
  tags = tags
}

out {
  id   = aws_sns_topic.this.arn
  name = aws_sns_topic.this.name
}
