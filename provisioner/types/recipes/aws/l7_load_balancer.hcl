resource "aws_security_group" "this_l7" {
  name        = "${full}-l7"
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    description = "http"
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  ingress {
    when        = field.certificate != null
    description = "https"
    from_port   = 443
    to_port     = 443
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    description = "everything"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_lb" "this_l7" {
  name                       = short(32)
  load_balancer_type         = "application"
  internal                   = false
  subnets                    = field.network.public_subnet_ids
  security_groups            = [aws_security_group.this_l7.id]
  idle_timeout               = field.idle_timeout_seconds
  drop_invalid_header_fields = true
  tags                       = tags
}

resource "aws_lb_target_group" "this_l7" {
  name     = short(32)
  port     = field.backend_port
  protocol = "HTTP"
  vpc_id   = field.network.id
  tags     = tags

  health_check {
    path    = field.health_path
    matcher = "200"
  }
}

resource "aws_lb_listener" "this_http" {
  load_balancer_arn = aws_lb.this_l7.arn
  port              = 80
  protocol          = "HTTP"
  tags              = tags

  default_action {
    type             = field.certificate == null ? "forward" : "redirect"
    target_group_arn = field.certificate == null ? aws_lb_target_group.this_l7.arn : null

    redirect {
      when        = field.certificate != null
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_lb_listener" "this_https" {
  when              = field.certificate != null
  load_balancer_arn = aws_lb.this_l7.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = field.certificate.id
  tags              = tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this_l7.arn
  }
}

out {
  id               = aws_lb.this_l7.arn
  host             = aws_lb.this_l7.dns_name
  target_group_arn = aws_lb_target_group.this_l7.arn
  listener_arn     = field.certificate == null ? aws_lb_listener.this_http.arn : aws_lb_listener.this_https.arn
}
