resource "aws_security_group" "this" {
  name        = full
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    repeat      = field.allow
    description = item.name
    from_port   = item.port
    to_port     = item.to_port == null ? item.port : item.to_port
    protocol    = item.protocol
    cidr_blocks = item.from
  }

  egress {
    description = "everything"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

out {
  id = aws_security_group.this.id
}
