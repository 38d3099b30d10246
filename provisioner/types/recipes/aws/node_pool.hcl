resource "aws_iam_role" "this_nodes" {
  name = "${short(48)}-nodes"
  tags = tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this_nodes" {
  for_each   = toset(["AmazonEC2ContainerRegistryReadOnly", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"])
  role       = aws_iam_role.this_nodes.name
  policy_arn = "arn:aws:iam::aws:policy/${each.value}"
}

resource "aws_eks_node_group" "this" {
  cluster_name    = field.cluster.name
  node_group_name = full
  node_role_arn   = aws_iam_role.this_nodes.arn
  subnet_ids      = field.cluster.subnet_ids
  instance_types  = [machine("vm")]
  capacity_type   = field.spot ? "SPOT" : "ON_DEMAND"
  disk_size       = field.disk_gib
  tags            = tags

  scaling_config {
    min_size     = field.min
    max_size     = field.max
    desired_size = max(field.min, 1)
  }

  update_config {
    max_unavailable = 1
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size]
  }

  depends_on = [aws_iam_role_policy_attachment.this_nodes]
}

out {
  id = aws_eks_node_group.this.id
}
