resource "azurerm_kubernetes_cluster" "this" {
  name                      = full
  resource_group_name       = group
  location                  = location
  dns_prefix                = short(54)
  kubernetes_version        = field.version
  private_cluster_enabled   = field.private
  oidc_issuer_enabled       = true
  workload_identity_enabled = true
  tags                      = tags

  # Azure wants one pool from the beginning; it carries what belongs to the system.
  default_node_pool {
    name                         = "system"
    vm_size                      = "Standard_D2s_v5"
    node_count                   = 2
    vnet_subnet_id               = field.network.subnet_id
    only_critical_addons_enabled = true

    upgrade_settings {
      max_surge = "10%"
    }
  }

  identity {
    type = "SystemAssigned"
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_policy      = "cilium"
    network_data_plane  = "cilium"
  }
}

out {
  id        = azurerm_kubernetes_cluster.this.id
  name      = azurerm_kubernetes_cluster.this.name
  endpoint  = field.private ? azurerm_kubernetes_cluster.this.private_fqdn : azurerm_kubernetes_cluster.this.fqdn
  issuer    = azurerm_kubernetes_cluster.this.oidc_issuer_url
  subnet_id = field.network.subnet_id
}
