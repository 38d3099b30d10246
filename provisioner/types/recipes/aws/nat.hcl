resource "aws_eip" "this" {
  domain = "vpc"
  tags   = tags
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.this.id
  subnet_id     = field.network.public_subnet_id
  tags          = tags
}

resource "aws_route" "this_nat" {
  route_table_id         = field.network.private_route_table_id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this.id
}

out {
  id        = aws_nat_gateway.this.id
  public_ip = aws_nat_gateway.this.public_ip
}
