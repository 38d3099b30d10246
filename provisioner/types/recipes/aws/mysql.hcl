resource "aws_security_group" "this_mysql" {
  name        = "${full}-mysql"
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    description = "mysql"
    from_port   = 3306
    to_port     = 3306
    protocol    = "tcp"
    cidr_blocks = [field.network.cidr]
  }
}

resource "aws_db_subnet_group" "this_mysql" {
  name       = "${full}-mysql"
  subnet_ids = field.network.private_subnet_ids
  tags       = tags
}

resource "aws_db_instance" "this_mysql" {
  identifier                  = "${short(52)}-mysql"
  engine                      = "mysql"
  engine_version              = field.version
  instance_class              = machine("mysql")
  allocated_storage           = field.storage_gib
  storage_type                = "gp3"
  storage_encrypted           = true
  db_name                     = field.database
  username                    = "grid"
  manage_master_user_password = true
  multi_az                    = field.high_availability
  db_subnet_group_name        = aws_db_subnet_group.this_mysql.name
  vpc_security_group_ids      = [aws_security_group.this_mysql.id]
  backup_retention_period     = field.backup_days
  copy_tags_to_snapshot       = true
  deletion_protection         = field.protect
  skip_final_snapshot         = !field.protect
  final_snapshot_identifier   = field.protect ? "${short(44)}-mysql-final" : null
  apply_immediately           = false
  tags                        = tags
}

out {
  id       = aws_db_instance.this_mysql.arn
  host     = aws_db_instance.this_mysql.address
  port     = aws_db_instance.this_mysql.port
  database = aws_db_instance.this_mysql.db_name
}
