data "aws_ami" "ubuntu_24_04" {
  when        = field.os == "ubuntu-24.04"
  most_recent = true
  owners      = ["099720109477"]

  filter {
    name   = "name"
    values = ["ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"]
  }
}

data "aws_ami" "debian_12" {
  when        = field.os == "debian-12"
  most_recent = true
  owners      = ["136693071363"]

  filter {
    name   = "name"
    values = ["debian-12-amd64-*"]
  }
}

resource "aws_key_pair" "this_group" {
  key_name   = "${full}-group"
  public_key = field.ssh_public_key
  tags       = tags
}

resource "aws_launch_template" "this_group" {
  name_prefix            = "${short(40)}-"
  image_id               = field.os == "ubuntu-24.04" ? data.aws_ami.ubuntu_24_04.id : data.aws_ami.debian_12.id
  instance_type          = machine("vm")
  key_name               = aws_key_pair.this_group.key_name
  vpc_security_group_ids = field.firewall == null ? null : [field.firewall.id]
  user_data              = field.user_data == null ? null : base64encode(field.user_data)
  update_default_version = true
  tags                   = tags

  block_device_mappings {
    device_name = field.os == "ubuntu-24.04" ? "/dev/sda1" : "/dev/xvda"

    ebs {
      volume_size = field.disk_gib
      volume_type = "gp3"
      encrypted   = "true"
    }
  }

  iam_instance_profile {
    when = field.identity != null
    name = field.identity.instance_profile
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  tag_specifications {
    resource_type = "instance"
    tags          = tags
  }
}

resource "aws_autoscaling_group" "this" {
  name                = full
  min_size            = field.min
  max_size            = field.max
  vpc_zone_identifier = field.network.private_subnet_ids
  target_group_arns   = field.load_balancer == null ? null : [field.load_balancer.target_group_arn]
  health_check_type   = field.load_balancer == null ? "EC2" : "ELB"

  launch_template {
    id      = aws_launch_template.this_group.id
    version = aws_launch_template.this_group.latest_version
  }

  instance_refresh {
    strategy = "Rolling"
  }

  tag {
    repeat              = tags
    key                 = item.key
    value               = item.value
    propagate_at_launch = true
  }

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

resource "aws_autoscaling_policy" "this" {
  name                   = "${full}-cpu"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = field.target_cpu_percent

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageCPUUtilization"
    }
  }
}

out {
  id   = aws_autoscaling_group.this.id
  name = aws_autoscaling_group.this.name
}
