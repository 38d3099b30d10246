resource "aws_security_group" "this_redis" {
  name        = "${full}-redis"
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    description = "redis"
    from_port   = 6379
    to_port     = 6379
    protocol    = "tcp"
    cidr_blocks = [field.network.cidr]
  }
}

resource "aws_elasticache_subnet_group" "this" {
  name       = full
  subnet_ids = field.network.private_subnet_ids
  tags       = tags
}

resource "aws_elasticache_replication_group" "this" {
  replication_group_id       = short(40)
  description                = "Grid: ${address}"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = machine("cache", "1x${field.memory_gib}")
  num_cache_clusters         = field.high_availability ? 2 : 1
  automatic_failover_enabled = field.high_availability
  multi_az_enabled           = field.high_availability
  at_rest_encryption_enabled = "true"
  transit_encryption_enabled = true
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.this_redis.id]
  tags                       = tags
}

out {
  id   = aws_elasticache_replication_group.this.arn
  host = aws_elasticache_replication_group.this.primary_endpoint_address
  port = aws_elasticache_replication_group.this.port
}
