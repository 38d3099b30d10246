variable "project" {
  description = "Whose resources these are."
  type        = string
}

variable "region" {
  description = "Where everything stands."
  type        = string
  default     = "europe-west3"
}

variable "zone" {
  description = "Where in the region stands what stands in one zone."
  type        = string
  default     = "europe-west3-b"
}

variable "orders_postgresql_password" {
  description = "The password of the user grid of postgresql.orders."
  type        = string
  sensitive   = true
}

variable "payment_key_value" {
  description = "The value of secret.payment-key."
  type        = string
  sensitive   = true
}
