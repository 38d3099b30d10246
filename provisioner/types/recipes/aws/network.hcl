data "aws_availability_zones" "available" {
  state = "available"
}

resource "aws_vpc" "this" {
  cidr_block           = field.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = tags
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = tags
}

resource "aws_subnet" "this_public" {
  count             = field.zones
  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, count.index)
  availability_zone = data.aws_availability_zones.available.names[count.index]
  tags              = merge(tags, { Name = "${full}-public-${count.index}", "kubernetes.io/role/elb" = "1" })
}

resource "aws_subnet" "this_private" {
  count             = field.zones
  vpc_id            = aws_vpc.this.id
  cidr_block        = cidrsubnet(aws_vpc.this.cidr_block, 4, count.index + 8)
  availability_zone = data.aws_availability_zones.available.names[count.index]
  tags              = merge(tags, { Name = "${full}-private-${count.index}", "kubernetes.io/role/internal-elb" = "1" })
}

resource "aws_route_table" "this_public" {
  vpc_id = aws_vpc.this.id
  tags   = merge(tags, { Name = "${full}-public" })
}

resource "aws_route" "this_public" {
  route_table_id         = aws_route_table.this_public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "this_public" {
  count          = field.zones
  subnet_id      = aws_subnet.this_public[count.index].id
  route_table_id = aws_route_table.this_public.id
}

resource "aws_route_table" "this_private" {
  vpc_id = aws_vpc.this.id
  tags   = merge(tags, { Name = "${full}-private" })
}

resource "aws_route_table_association" "this_private" {
  count          = field.zones
  subnet_id      = aws_subnet.this_private[count.index].id
  route_table_id = aws_route_table.this_private.id
}

out {
  id                     = aws_vpc.this.id
  cidr                   = aws_vpc.this.cidr_block
  zones                  = field.zones
  public_subnet_id       = aws_subnet.this_public[0].id
  public_subnet_ids      = aws_subnet.this_public[*].id
  private_subnet_id      = aws_subnet.this_private[0].id
  private_subnet_ids     = aws_subnet.this_private[*].id
  private_subnets        = field.zones == 3 ? [aws_subnet.this_private[0].id, aws_subnet.this_private[1].id, aws_subnet.this_private[2].id] : [aws_subnet.this_private[0].id, aws_subnet.this_private[1].id]
  private_route_table_id = aws_route_table.this_private.id
}
