resource "aws_iam_role" "this_cluster" {
  name = "${short(48)}-cluster"
  tags = tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this_cluster" {
  role       = aws_iam_role.this_cluster.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
}

resource "aws_eks_cluster" "this" {
  name     = full
  role_arn = aws_iam_role.this_cluster.arn
  version  = field.version
  tags     = tags

  access_config {
    authentication_mode = "API"
  }

  vpc_config {
    subnet_ids              = field.network.private_subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = !field.private
  }

  depends_on = [aws_iam_role_policy_attachment.this_cluster]
}

resource "aws_eks_addon" "this" {
  for_each     = toset(["eks-pod-identity-agent", "kube-proxy", "vpc-cni"])
  cluster_name = aws_eks_cluster.this.name
  addon_name   = each.value
  tags         = tags
}

out {
  id         = aws_eks_cluster.this.arn
  name       = aws_eks_cluster.this.name
  endpoint   = aws_eks_cluster.this.endpoint
  subnet_ids = field.network.private_subnet_ids
}
