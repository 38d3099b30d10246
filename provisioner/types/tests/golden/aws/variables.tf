variable "region" {
  description = "Where everything stands."
  type        = string
  default     = "eu-central-1"
}

variable "payment_key_value" {
  description = "The value of secret.payment-key."
  type        = string
  sensitive   = true
}
