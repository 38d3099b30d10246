resource "aws_lb" "this_l4" {
  name                             = "${short(29)}-l4"
  load_balancer_type               = "network"
  internal                         = !field.public
  subnets                          = field.public ? field.network.public_subnet_ids : field.network.private_subnet_ids
  enable_cross_zone_load_balancing = true
  tags                             = tags
}

resource "aws_lb_target_group" "this_l4" {
  name     = "${short(29)}-l4"
  port     = field.port
  protocol = "TCP"
  vpc_id   = field.network.id
  tags     = tags

  health_check {
    protocol = "TCP"
  }
}

resource "aws_lb_listener" "this_l4" {
  load_balancer_arn = aws_lb.this_l4.arn
  port              = field.port
  protocol          = "TCP"
  tags              = tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this_l4.arn
  }
}

out {
  id               = aws_lb.this_l4.arn
  host             = aws_lb.this_l4.dns_name
  target_group_arn = aws_lb_target_group.this_l4.arn
}
