# postgresql.orders
resource "aws_security_group" "orders_postgresql" {
  name        = "shop-prod-orders-postgresql"
  description = "Grid: postgresql.orders"
  vpc_id      = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-orders"
    "grid:resource" = "postgresql.orders"
  }

  ingress {
    description = "postgresql"
    from_port   = 5432
    to_port     = 5432
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.main.cidr_block]
  }
}

resource "aws_db_subnet_group" "orders_postgresql" {
  name       = "shop-prod-orders-postgresql"
  subnet_ids = aws_subnet.main_private[*].id

  tags = {
    Name            = "shop-prod-orders"
    "grid:resource" = "postgresql.orders"
  }
}

resource "aws_db_instance" "orders_postgresql" {
  identifier                   = "shop-prod-orders-postgresql"
  engine                       = "postgres"
  engine_version               = "17"
  instance_class               = "db.m7g.large"
  allocated_storage            = 200
  storage_type                 = "gp3"
  storage_encrypted            = true
  db_name                      = "orders"
  username                     = "grid"
  manage_master_user_password  = true
  multi_az                     = true
  db_subnet_group_name         = aws_db_subnet_group.orders_postgresql.name
  vpc_security_group_ids       = [aws_security_group.orders_postgresql.id]
  backup_retention_period      = 7
  copy_tags_to_snapshot        = true
  deletion_protection          = true
  skip_final_snapshot          = false
  final_snapshot_identifier    = "shop-prod-orders-postgresql-final"
  performance_insights_enabled = true
  apply_immediately            = false

  tags = {
    Name            = "shop-prod-orders"
    "grid:resource" = "postgresql.orders"
  }
}

# redis.sessions
resource "aws_security_group" "sessions_redis" {
  name        = "shop-prod-sessions-redis"
  description = "Grid: redis.sessions"
  vpc_id      = aws_vpc.main.id

  tags = {
    Name            = "shop-prod-sessions"
    "grid:resource" = "redis.sessions"
  }

  ingress {
    description = "redis"
    from_port   = 6379
    to_port     = 6379
    protocol    = "tcp"
    cidr_blocks = [aws_vpc.main.cidr_block]
  }
}

resource "aws_elasticache_subnet_group" "sessions" {
  name       = "shop-prod-sessions"
  subnet_ids = aws_subnet.main_private[*].id

  tags = {
    Name            = "shop-prod-sessions"
    "grid:resource" = "redis.sessions"
  }
}

resource "aws_elasticache_replication_group" "sessions" {
  replication_group_id       = "shop-prod-sessions"
  description                = "Grid: redis.sessions"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = "cache.m7g.large"
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  at_rest_encryption_enabled = "true"
  transit_encryption_enabled = true
  subnet_group_name          = aws_elasticache_subnet_group.sessions.name
  security_group_ids         = [aws_security_group.sessions_redis.id]

  tags = {
    Name            = "shop-prod-sessions"
    "grid:resource" = "redis.sessions"
  }
}

# object_store.images
resource "aws_s3_bucket" "images" {
  bucket = "shop-prod-images-${data.aws_caller_identity.current.account_id}"

  tags = {
    Name            = "shop-prod-images"
    "grid:resource" = "object_store.images"
  }
}

resource "aws_s3_bucket_public_access_block" "images" {
  bucket                  = aws_s3_bucket.images.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm = "aws:kms"
    }
  }
}

resource "aws_s3_bucket_versioning" "images" {
  bucket = aws_s3_bucket.images.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "images" {
  bucket = aws_s3_bucket.images.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = 730
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }
}

# secret.payment-key
resource "aws_kms_key" "payment_key" {
  description             = "Grid: secret.payment-key"
  enable_key_rotation     = true
  deletion_window_in_days = 30

  tags = {
    Name            = "shop-prod-payment-key"
    "grid:resource" = "secret.payment-key"
  }
}

resource "aws_secretsmanager_secret" "payment_key" {
  name                    = "shop-prod-payment-key"
  kms_key_id              = aws_kms_key.payment_key.arn
  recovery_window_in_days = 30

  tags = {
    Name            = "shop-prod-payment-key"
    "grid:resource" = "secret.payment-key"
  }
}

resource "aws_secretsmanager_secret_version" "payment_key" {
  secret_id     = aws_secretsmanager_secret.payment_key.id
  secret_string = var.payment_key_value
}

resource "aws_iam_role_policy" "payment_key_reader" {
  for_each = {
    app = aws_iam_role.app.name
  }

  name = "shop-prod-payment-key-read"
  role = each.value

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "secretsmanager:GetSecretValue"
        Resource = aws_secretsmanager_secret.payment_key.arn
      },
      {
        Effect   = "Allow"
        Action   = "kms:Decrypt"
        Resource = aws_kms_key.payment_key.arn
      },
    ]
  })
}
