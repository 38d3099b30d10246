locals {
  tags = {
    "grid:system"      = "shop"
    "grid:environment" = "prod"
  }
}

resource "azurerm_resource_group" "main" {
  name     = "shop-prod"
  location = var.location
  tags     = local.tags
}

data "azurerm_client_config" "current" {}
