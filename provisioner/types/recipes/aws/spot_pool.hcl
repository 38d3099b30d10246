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

resource "aws_key_pair" "this_spot" {
  key_name   = "${full}-spot"
  public_key = field.ssh_public_key
  tags       = tags
}

resource "aws_launch_template" "this_spot" {
  name_prefix            = "${short(40)}-spot-"
  image_id               = field.os == "ubuntu-24.04" ? data.aws_ami.ubuntu_24_04.id : data.aws_ami.debian_12.id
  instance_type          = machine("vm")
  key_name               = aws_key_pair.this_spot.key_name
  vpc_security_group_ids = field.firewall == null ? null : [field.firewall.id]
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

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  tag_specifications {
    resource_type = "instance"
    tags          = tags
  }
}

resource "aws_ec2_fleet" "this" {
  type                = "maintain"
  terminate_instances = true
  tags                = tags

  launch_template_config {
    launch_template_specification {
      launch_template_id = aws_launch_template.this_spot.id
      version            = aws_launch_template.this_spot.latest_version
    }

    override {
      repeat    = field.network.private_subnets
      subnet_id = item
    }
  }

  target_capacity_specification {
    default_target_capacity_type = "spot"
    total_target_capacity        = field.capacity
  }

  spot_options {
    allocation_strategy            = "price-capacity-optimized"
    instance_interruption_behavior = field.on_reclaim == "stop" ? "stop" : "terminate"

    maintenance_strategies {
      when = field.on_reclaim == "delete"

      capacity_rebalance {
        replacement_strategy = "launch"
      }
    }
  }
}

out {
  id = aws_ec2_fleet.this.id
}
