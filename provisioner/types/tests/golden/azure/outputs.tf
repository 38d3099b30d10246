output "network_main_id" {
  description = "network.main: The cloud's id of it."
  value       = azurerm_virtual_network.main.id
}

output "nat_main_id" {
  description = "nat.main: The cloud's id of it."
  value       = azurerm_nat_gateway.main.id
}

output "nat_main_public_ip" {
  description = "nat.main: The address that the internet sees."
  value       = azurerm_public_ip.main_nat.ip_address
}

output "firewall_app_id" {
  description = "firewall.app: The cloud's id of it."
  value       = azurerm_network_security_group.app.id
}

output "dns_zone_shop_id" {
  description = "dns_zone.shop: The cloud's id of it."
  value       = azurerm_dns_zone.shop.id
}

output "dns_zone_shop_name_servers" {
  description = "dns_zone.shop: Who answers for it, for the zone above."
  value       = azurerm_dns_zone.shop.name_servers
}

output "tls_certificate_shop_id" {
  description = "tls_certificate.shop: The cloud's id of it."
  value       = azurerm_key_vault_certificate.shop.id
}

output "l7_load_balancer_web_id" {
  description = "l7_load_balancer.web: The cloud's id of it."
  value       = azurerm_application_gateway.web.id
}

output "l7_load_balancer_web_host" {
  description = "l7_load_balancer.web: The name or address that clients connect to."
  value       = azurerm_public_ip.web_l7.ip_address
}

output "waf_web_id" {
  description = "waf.web: The cloud's id of it."
  value       = azurerm_web_application_firewall_policy.web.id
}

output "workload_identity_app_id" {
  description = "workload_identity.app: The cloud's id of it."
  value       = azurerm_user_assigned_identity.app.id
}

output "autoscaling_group_app_id" {
  description = "autoscaling_group.app: The cloud's id of it."
  value       = azurerm_linux_virtual_machine_scale_set.app.id
}

output "autoscaling_group_app_name" {
  description = "autoscaling_group.app: Its name in the cloud."
  value       = azurerm_linux_virtual_machine_scale_set.app.name
}

output "postgresql_orders_id" {
  description = "postgresql.orders: The cloud's id of it."
  value       = azurerm_postgresql_flexible_server.orders.id
}

output "postgresql_orders_host" {
  description = "postgresql.orders: Where it listens."
  value       = azurerm_postgresql_flexible_server.orders.fqdn
}

output "postgresql_orders_port" {
  description = "postgresql.orders: At which port."
  value       = 5432
}

output "postgresql_orders_database" {
  description = "postgresql.orders: The database that is made in it."
  value       = azurerm_postgresql_flexible_server_database.orders.name
}

output "redis_sessions_id" {
  description = "redis.sessions: The cloud's id of it."
  value       = azurerm_managed_redis.sessions.id
}

output "redis_sessions_host" {
  description = "redis.sessions: Where it listens."
  value       = azurerm_managed_redis.sessions.hostname
}

output "redis_sessions_port" {
  description = "redis.sessions: At which port."
  value       = azurerm_managed_redis.sessions.default_database[0].port
}

output "object_store_images_id" {
  description = "object_store.images: The cloud's id of it."
  value       = azurerm_storage_account.images.id
}

output "object_store_images_name" {
  description = "object_store.images: The bucket's name."
  value       = azurerm_storage_container.images.name
}

output "object_store_images_url" {
  description = "object_store.images: Where its objects are."
  value       = "${azurerm_storage_account.images.primary_blob_endpoint}${azurerm_storage_container.images.name}"
}

output "secret_payment_key_id" {
  description = "secret.payment-key: The cloud's id of it; never its value."
  value       = azurerm_key_vault_secret.payment_key.versionless_id
}
