output "network_main_id" {
  description = "network.main: The cloud's id of it."
  value       = aws_vpc.main.id
}

output "nat_main_id" {
  description = "nat.main: The cloud's id of it."
  value       = aws_nat_gateway.main.id
}

output "nat_main_public_ip" {
  description = "nat.main: The address that the internet sees."
  value       = aws_nat_gateway.main.public_ip
}

output "firewall_app_id" {
  description = "firewall.app: The cloud's id of it."
  value       = aws_security_group.app.id
}

output "dns_zone_shop_id" {
  description = "dns_zone.shop: The cloud's id of it."
  value       = aws_route53_zone.shop.zone_id
}

output "dns_zone_shop_name_servers" {
  description = "dns_zone.shop: Who answers for it, for the zone above."
  value       = aws_route53_zone.shop.name_servers
}

output "tls_certificate_shop_id" {
  description = "tls_certificate.shop: The cloud's id of it."
  value       = aws_acm_certificate_validation.shop.certificate_arn
}

output "l7_load_balancer_web_id" {
  description = "l7_load_balancer.web: The cloud's id of it."
  value       = aws_lb.web_l7.arn
}

output "l7_load_balancer_web_host" {
  description = "l7_load_balancer.web: The name or address that clients connect to."
  value       = aws_lb.web_l7.dns_name
}

output "waf_web_id" {
  description = "waf.web: The cloud's id of it."
  value       = aws_wafv2_web_acl.web.arn
}

output "workload_identity_app_id" {
  description = "workload_identity.app: The cloud's id of it."
  value       = aws_iam_role.app.arn
}

output "autoscaling_group_app_id" {
  description = "autoscaling_group.app: The cloud's id of it."
  value       = aws_autoscaling_group.app.id
}

output "autoscaling_group_app_name" {
  description = "autoscaling_group.app: Its name in the cloud."
  value       = aws_autoscaling_group.app.name
}

output "postgresql_orders_id" {
  description = "postgresql.orders: The cloud's id of it."
  value       = aws_db_instance.orders_postgresql.arn
}

output "postgresql_orders_host" {
  description = "postgresql.orders: Where it listens."
  value       = aws_db_instance.orders_postgresql.address
}

output "postgresql_orders_port" {
  description = "postgresql.orders: At which port."
  value       = aws_db_instance.orders_postgresql.port
}

output "postgresql_orders_database" {
  description = "postgresql.orders: The database that is made in it."
  value       = aws_db_instance.orders_postgresql.db_name
}

output "redis_sessions_id" {
  description = "redis.sessions: The cloud's id of it."
  value       = aws_elasticache_replication_group.sessions.arn
}

output "redis_sessions_host" {
  description = "redis.sessions: Where it listens."
  value       = aws_elasticache_replication_group.sessions.primary_endpoint_address
}

output "redis_sessions_port" {
  description = "redis.sessions: At which port."
  value       = aws_elasticache_replication_group.sessions.port
}

output "object_store_images_id" {
  description = "object_store.images: The cloud's id of it."
  value       = aws_s3_bucket.images.id
}

output "object_store_images_name" {
  description = "object_store.images: The bucket's name."
  value       = aws_s3_bucket.images.bucket
}

output "object_store_images_url" {
  description = "object_store.images: Where its objects are."
  value       = "https://${aws_s3_bucket.images.bucket_regional_domain_name}"
}

output "secret_payment_key_id" {
  description = "secret.payment-key: The cloud's id of it; never its value."
  value       = aws_secretsmanager_secret.payment_key.arn
}
