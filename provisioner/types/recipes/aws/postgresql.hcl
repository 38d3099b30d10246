resource "aws_security_group" "this_postgresql" {
  name        = "${full}-postgresql"
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    description = "postgresql"
    from_port   = 5432
    to_port     = 5432
    protocol    = "tcp"
    cidr_blocks = [field.network.cidr]
  }
}

resource "aws_db_subnet_group" "this_postgresql" {
  name       = "${full}-postgresql"
  subnet_ids = field.network.private_subnet_ids
  tags       = tags
}

resource "aws_db_instance" "this_postgresql" {
  identifier                   = "${short(52)}-postgresql"
  engine                       = "postgres"
  engine_version               = field.version
  instance_class               = machine("database")
  allocated_storage            = field.storage_gib
  storage_type                 = "gp3"
  storage_encrypted            = true
  db_name                      = field.database
  username                     = "grid"
  manage_master_user_password  = true
  multi_az                     = field.high_availability
  db_subnet_group_name         = aws_db_subnet_group.this_postgresql.name
  vpc_security_group_ids       = [aws_security_group.this_postgresql.id]
  backup_retention_period      = field.backup_days
  copy_tags_to_snapshot        = true
  deletion_protection          = field.protect
  skip_final_snapshot          = !field.protect
  final_snapshot_identifier    = field.protect ? "${short(44)}-postgresql-final" : null
  performance_insights_enabled = true
  apply_immediately            = false
  tags                         = tags
}

out {
  id       = aws_db_instance.this_postgresql.arn
  host     = aws_db_instance.this_postgresql.address
  port     = aws_db_instance.this_postgresql.port
  database = aws_db_instance.this_postgresql.db_name
}
