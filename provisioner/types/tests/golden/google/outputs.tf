output "network_main_id" {
  description = "network.main: The cloud's id of it."
  value       = google_compute_network.main.id
}

output "nat_main_id" {
  description = "nat.main: The cloud's id of it."
  value       = google_compute_router_nat.main.id
}

output "nat_main_public_ip" {
  description = "nat.main: The address that the internet sees."
  value       = google_compute_address.main.address
}

output "firewall_app_id" {
  description = "firewall.app: The cloud's id of it."
  value       = values(google_compute_firewall.app)[*].id
}

output "dns_zone_shop_id" {
  description = "dns_zone.shop: The cloud's id of it."
  value       = google_dns_managed_zone.shop.id
}

output "dns_zone_shop_name_servers" {
  description = "dns_zone.shop: Who answers for it, for the zone above."
  value       = google_dns_managed_zone.shop.name_servers
}

output "tls_certificate_shop_id" {
  description = "tls_certificate.shop: The cloud's id of it."
  value       = google_certificate_manager_certificate.shop.id
}

output "l7_load_balancer_web_id" {
  description = "l7_load_balancer.web: The cloud's id of it."
  value       = google_compute_url_map.web_l7.id
}

output "l7_load_balancer_web_host" {
  description = "l7_load_balancer.web: The name or address that clients connect to."
  value       = google_compute_global_address.web_l7.address
}

output "waf_web_id" {
  description = "waf.web: The cloud's id of it."
  value       = google_compute_security_policy.web.id
}

output "workload_identity_app_id" {
  description = "workload_identity.app: The cloud's id of it."
  value       = google_service_account.app.id
}

output "autoscaling_group_app_id" {
  description = "autoscaling_group.app: The cloud's id of it."
  value       = google_compute_region_instance_group_manager.app.id
}

output "autoscaling_group_app_name" {
  description = "autoscaling_group.app: Its name in the cloud."
  value       = google_compute_region_instance_group_manager.app.name
}

output "postgresql_orders_id" {
  description = "postgresql.orders: The cloud's id of it."
  value       = google_sql_database_instance.orders_postgresql.id
}

output "postgresql_orders_host" {
  description = "postgresql.orders: Where it listens."
  value       = google_sql_database_instance.orders_postgresql.private_ip_address
}

output "postgresql_orders_port" {
  description = "postgresql.orders: At which port."
  value       = 5432
}

output "postgresql_orders_database" {
  description = "postgresql.orders: The database that is made in it."
  value       = google_sql_database.orders_postgresql.name
}

output "redis_sessions_id" {
  description = "redis.sessions: The cloud's id of it."
  value       = google_redis_instance.sessions.id
}

output "redis_sessions_host" {
  description = "redis.sessions: Where it listens."
  value       = google_redis_instance.sessions.host
}

output "redis_sessions_port" {
  description = "redis.sessions: At which port."
  value       = google_redis_instance.sessions.port
}

output "object_store_images_id" {
  description = "object_store.images: The cloud's id of it."
  value       = google_storage_bucket.images.id
}

output "object_store_images_name" {
  description = "object_store.images: The bucket's name."
  value       = google_storage_bucket.images.name
}

output "object_store_images_url" {
  description = "object_store.images: Where its objects are."
  value       = google_storage_bucket.images.url
}

output "secret_payment_key_id" {
  description = "secret.payment-key: The cloud's id of it; never its value."
  value       = google_secret_manager_secret.payment_key.id
}
