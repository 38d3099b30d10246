resource "aws_iam_role" "this" {
  name = full
  tags = tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "lambda.amazonaws.com", "pods.eks.amazonaws.com"] }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_instance_profile" "this" {
  name = full
  role = aws_iam_role.this.name
  tags = tags
}

resource "aws_eks_pod_identity_association" "this" {
  when            = field.cluster != null
  cluster_name    = field.cluster.name
  namespace       = field.namespace
  service_account = coalesce(field.service_account, name)
  role_arn        = aws_iam_role.this.arn
  tags            = tags
}

out {
  id               = aws_iam_role.this.arn
  name             = name
  role_arn         = aws_iam_role.this.arn
  role_name        = aws_iam_role.this.name
  instance_profile = aws_iam_instance_profile.this.name
}
