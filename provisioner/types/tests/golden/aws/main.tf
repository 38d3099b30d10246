# workload_identity.app
resource "aws_iam_role" "app" {
  name = "shop-prod-app"

  tags = {
    Name            = "shop-prod-app"
    "grid:resource" = "workload_identity.app"
  }

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = [
            "ec2.amazonaws.com",
            "ecs-tasks.amazonaws.com",
            "lambda.amazonaws.com",
            "pods.eks.amazonaws.com",
          ]
        }
        Action = ["sts:AssumeRole", "sts:TagSession"]
      },
    ]
  })
}

resource "aws_iam_instance_profile" "app" {
  name = "shop-prod-app"
  role = aws_iam_role.app.name

  tags = {
    Name            = "shop-prod-app"
    "grid:resource" = "workload_identity.app"
  }
}

# autoscaling_group.app
resource "aws_key_pair" "app_group" {
  key_name   = "shop-prod-app-group"
  public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops"

  tags = {
    Name            = "shop-prod-app"
    "grid:resource" = "autoscaling_group.app"
  }
}

resource "aws_launch_template" "app_group" {
  name_prefix            = "shop-prod-app-"
  image_id               = data.aws_ami.ubuntu_24_04.id
  instance_type          = "m7i.xlarge"
  key_name               = aws_key_pair.app_group.key_name
  vpc_security_group_ids = [aws_security_group.app.id]
  user_data              = base64encode("#cloud-config\nwrite_files:\n  - path: /etc/shop.env\n    content: DB_HOST=${aws_db_instance.orders_postgresql.address}\n")
  update_default_version = true

  tags = {
    Name            = "shop-prod-app"
    "grid:resource" = "autoscaling_group.app"
  }

  block_device_mappings {
    device_name = "/dev/sda1"

    ebs {
      volume_size = 30
      volume_type = "gp3"
      encrypted   = "true"
    }
  }

  iam_instance_profile {
    name = aws_iam_instance_profile.app.name
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  tag_specifications {
    resource_type = "instance"

    tags = {
      Name            = "shop-prod-app"
      "grid:resource" = "autoscaling_group.app"
    }
  }
}

resource "aws_autoscaling_group" "app" {
  name                = "shop-prod-app"
  min_size            = 2
  max_size            = 8
  vpc_zone_identifier = aws_subnet.main_private[*].id
  target_group_arns   = [aws_lb_target_group.web_l7.arn]
  health_check_type   = "ELB"

  launch_template {
    id      = aws_launch_template.app_group.id
    version = aws_launch_template.app_group.latest_version
  }

  instance_refresh {
    strategy = "Rolling"
  }

  tag {
    key                 = "Name"
    value               = "shop-prod-app"
    propagate_at_launch = true
  }

  tag {
    key                 = "grid:resource"
    value               = "autoscaling_group.app"
    propagate_at_launch = true
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

resource "aws_autoscaling_policy" "app" {
  name                   = "shop-prod-app-cpu"
  autoscaling_group_name = aws_autoscaling_group.app.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = 60

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}
