data "aws_availability_zones" "available" {
  when  = field.vm == null
  state = "available"
}

resource "aws_ebs_volume" "this" {
  availability_zone = field.vm == null ? data.aws_availability_zones.available.names[0] : field.vm.zone
  size              = field.size_gib
  type              = { standard = "gp2", balanced = "gp3", fast = "io2" }[field.class]
  iops              = field.class == "fast" ? 4000 : null
  encrypted         = true
  tags              = tags
}

resource "aws_volume_attachment" "this" {
  when        = field.vm != null
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.this.id
  instance_id = field.vm.id
}

out {
  id   = aws_ebs_volume.this.id
  arn  = aws_ebs_volume.this.arn
  name = name
}
