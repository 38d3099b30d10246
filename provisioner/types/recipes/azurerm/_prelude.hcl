terraform {
  required_version = ">= 1.6"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = provider_version
    }
  }
}

provider "azurerm" {
  subscription_id = var.subscription_id

  features {}
}

variable "subscription_id" {
  description = "Whose resources these are."
  type        = string
}

variable "location" {
  description = "Where everything stands."
  type        = string
  default     = region
}

locals {
  tags = {
    "grid:system"      = system
    "grid:environment" = environment
  }
}

resource "azurerm_resource_group" "main" {
  name     = full
  location = var.location
  tags     = local.tags
}

out {
  group    = azurerm_resource_group.main.name
  location = azurerm_resource_group.main.location
  tags     = merge(local.tags, { "grid:resource" = address })
}
