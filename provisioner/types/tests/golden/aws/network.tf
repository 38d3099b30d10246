# network.main
resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = {
    Name            = "shop-prod-main"
    "grid:resource" = "network.main"
  }
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-main"
    "grid:resource" = "network.main"
  }
}

resource "aws_subnet" "main_public" {
  count = 2

  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 4, count.index)
  availability_zone = data.aws_availability_zones.available.names[count.index]

  tags = {
    Name                     = "shop-prod-main-public-${count.index}"
    "grid:resource"          = "network.main"
    "kubernetes.io/role/elb" = "1"
  }
}

resource "aws_subnet" "main_private" {
  count = 2

  vpc_id            = aws_vpc.main.id
  cidr_block        = cidrsubnet(aws_vpc.main.cidr_block, 4, count.index + 8)
  availability_zone = data.aws_availability_zones.available.names[count.index]

  tags = {
    Name                              = "shop-prod-main-private-${count.index}"
    "grid:resource"                   = "network.main"
    "kubernetes.io/role/internal-elb" = "1"
  }
}

resource "aws_route_table" "main_public" {
  vpc_id = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-main-public"
    "grid:resource" = "network.main"
  }
}

resource "aws_route" "main_public" {
  route_table_id         = aws_route_table.main_public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main.id
}

resource "aws_route_table_association" "main_public" {
  count = 2

  subnet_id      = aws_subnet.main_public[count.index].id
  route_table_id = aws_route_table.main_public.id
}

resource "aws_route_table" "main_private" {
  vpc_id = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-main-private"
    "grid:resource" = "network.main"
  }
}

resource "aws_route_table_association" "main_private" {
  count = 2

  subnet_id      = aws_subnet.main_private[count.index].id
  route_table_id = aws_route_table.main_private.id
}

# nat.main
resource "aws_eip" "main" {
  domain = "vpc"

  tags = {
    Name            = "shop-prod-main"
    "grid:resource" = "nat.main"
  }
}

resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.main.id
  subnet_id     = aws_subnet.main_public[0].id

  tags = {
    Name            = "shop-prod-main"
    "grid:resource" = "nat.main"
  }
}

resource "aws_route" "main_nat" {
  route_table_id         = aws_route_table.main_private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main.id
}

# firewall.app
resource "aws_security_group" "app" {
  name        = "shop-prod-app"
  description = "Grid: firewall.app"
  vpc_id      = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-app"
    "grid:resource" = "firewall.app"
  }

  ingress {
    description = "http"
    from_port   = 8080
    to_port     = 8080
    protocol    = "tcp"
    cidr_blocks = ["10.20.0.0/16"]
  }

  egress {
    description = "everything"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
