resource "aws_security_group" "this_nfs" {
  name        = "${full}-nfs"
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    description = "nfs"
    from_port   = 2049
    to_port     = 2049
    protocol    = "tcp"
    cidr_blocks = [field.network.cidr]
  }
}

resource "aws_efs_file_system" "this" {
  encrypted       = true
  throughput_mode = field.class == "fast" ? "elastic" : "bursting"
  tags            = tags

  lifecycle_policy {
    transition_to_ia = "AFTER_30_DAYS"
  }

  lifecycle_policy {
    transition_to_primary_storage_class = "AFTER_1_ACCESS"
  }
}

resource "aws_efs_mount_target" "this" {
  count           = field.network.zones
  file_system_id  = aws_efs_file_system.this.id
  subnet_id       = element(field.network.private_subnet_ids, count.index)
  security_groups = [aws_security_group.this_nfs.id]
}

out {
  id   = aws_efs_file_system.this.id
  host = aws_efs_file_system.this.dns_name
}
