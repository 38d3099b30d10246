resource "azurerm_kubernetes_cluster_node_pool" "this" {
  name                  = word(12)
  kubernetes_cluster_id = field.cluster.id
  vm_size               = machine("vm")
  vnet_subnet_id        = field.cluster.subnet_id
  os_disk_size_gb       = field.disk_gib
  auto_scaling_enabled  = true
  min_count             = field.min
  max_count             = field.max
  priority              = field.spot ? "Spot" : "Regular"
  eviction_policy       = field.spot ? "Delete" : null
  spot_max_price        = field.spot ? -1 : null
  node_labels           = field.spot ? { "kubernetes.azure.com/scalesetpriority" = "spot" } : null
  node_taints           = field.spot ? ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"] : null
  tags                  = tags

  upgrade_settings {
    when      = !field.spot
    max_surge = "10%"
  }

  lifecycle {
    ignore_changes = [node_count]
  }
}

out {
  id = azurerm_kubernetes_cluster_node_pool.this.id
}
