resource "azurerm_log_analytics_workspace" "this" {
  name                = full
  resource_group_name = group
  location            = location
  sku                 = "PerGB2018"
  retention_in_days   = 30
  tags                = tags
}

resource "azurerm_container_app_environment" "this" {
  name                       = full
  resource_group_name        = group
  location                   = location
  infrastructure_subnet_id   = field.network.containers_subnet_id
  logs_destination           = "log-analytics"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id
  tags                       = tags

  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }
}

# Container Apps takes quarters of a processor, each with half a GiB: what is asked for is rounded up to hold both.
resource "azurerm_container_app" "this" {
  name                         = short(32)
  resource_group_name          = group
  container_app_environment_id = azurerm_container_app_environment.this.id
  revision_mode                = "Single"
  workload_profile_name        = "Consumption"
  tags                         = tags

  identity {
    when         = field.identity != null
    type         = "UserAssigned"
    identity_ids = [field.identity.id]
  }

  template {
    min_replicas = field.min
    max_replicas = field.max

    container {
      name   = short(32)
      image  = field.image
      cpu    = min(max(field.cpu_milli / 250, field.memory_mib / 512), 16) * 0.25
      memory = "${min(max(field.cpu_milli / 250, field.memory_mib / 512), 16) * 0.5}Gi"

      env {
        repeat = field.env
        name   = item.key
        value  = item.value
      }
    }

    http_scale_rule {
      name                = "http"
      concurrent_requests = "50"
    }
  }

  ingress {
    external_enabled = true
    target_port      = field.port

    traffic_weight {
      latest_revision = true
      percentage      = 100
    }
  }
}

out {
  id   = azurerm_container_app.this.id
  name = azurerm_container_app.this.name
}
