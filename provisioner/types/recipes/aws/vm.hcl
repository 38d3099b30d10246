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

resource "aws_key_pair" "this" {
  key_name   = full
  public_key = field.ssh_public_key
  tags       = tags
}

resource "aws_instance" "this" {
  ami                         = field.os == "ubuntu-24.04" ? data.aws_ami.ubuntu_24_04.id : data.aws_ami.debian_12.id
  instance_type               = machine("vm")
  subnet_id                   = field.public_ip ? field.network.public_subnet_id : field.network.private_subnet_id
  vpc_security_group_ids      = field.firewall == null ? null : [field.firewall.id]
  associate_public_ip_address = field.public_ip
  key_name                    = aws_key_pair.this.key_name
  iam_instance_profile        = field.identity.instance_profile
  user_data                   = field.user_data
  tags                        = tags

  root_block_device {
    volume_size = field.disk_gib
    volume_type = "gp3"
    encrypted   = true
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
  }

  lifecycle {
    ignore_changes = [ami]
  }
}

out {
  id         = aws_instance.this.id
  private_ip = aws_instance.this.private_ip
  zone       = aws_instance.this.availability_zone
}
