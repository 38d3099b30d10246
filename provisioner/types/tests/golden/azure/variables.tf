variable "subscription_id" {
  description = "Whose resources these are."
  type        = string
}

variable "location" {
  description = "Where everything stands."
  type        = string
  default     = "westeurope"
}

variable "orders_postgresql_password" {
  description = "The password of the administrator of postgresql.orders."
  type        = string
  sensitive   = true
}

variable "payment_key_value" {
  description = "The value of secret.payment-key."
  type        = string
  sensitive   = true
}
