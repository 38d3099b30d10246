resource "aws_sqs_queue" "this_dead" {
  name                      = "${full}-dead"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
  tags                      = tags
}

resource "aws_sqs_queue" "this" {
  name                       = full
  visibility_timeout_seconds = field.visibility_seconds
  message_retention_seconds  = field.keep_days * 86400
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  tags                       = tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.this_dead.arn
    maxReceiveCount     = field.max_receives
  })
}

resource "aws_sqs_queue_policy" "this" {
  when      = field.topic != null
  queue_url = aws_sqs_queue.this.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "sns.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.this.arn
      Condition = { ArnEquals = { "aws:SourceArn" = field.topic.id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "this" {
  when                 = field.topic != null
  topic_arn            = field.topic.id
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.this.arn
  raw_message_delivery = true
}

out {
  id   = aws_sqs_queue.this.url
  name = aws_sqs_queue.this.name
}
