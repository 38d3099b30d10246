resource "aws_iam_role" "this_function" {
  when = field.identity == null
  name = "${short(48)}-function"
  tags = tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this_function" {
  role       = field.identity == null ? aws_iam_role.this_function.name : field.identity.role_name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
}

resource "aws_lambda_function" "this" {
  function_name                  = short(64)
  role                           = field.identity == null ? aws_iam_role.this_function.arn : field.identity.role_arn
  runtime                        = { "python-3.12" = "python3.12", "nodejs-22" = "nodejs22.x" }[field.runtime]
  handler                        = field.handler
  s3_bucket                      = field.source.name
  s3_key                         = field.archive
  memory_size                    = field.memory_mib
  timeout                        = field.timeout_seconds
  reserved_concurrent_executions = field.max_instances
  tags                           = tags

  environment {
    when      = length(field.env) > 0
    variables = field.env
  }
}

out {
  id   = aws_lambda_function.this.arn
  name = aws_lambda_function.this.function_name
}
