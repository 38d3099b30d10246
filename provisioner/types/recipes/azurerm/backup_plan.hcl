resource "azurerm_data_protection_backup_vault" "this" {
  name                = short(50)
  resource_group_name = group
  location            = location
  datastore_type      = "VaultStore"
  redundancy          = "ZoneRedundant"
  tags                = tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_data_protection_backup_policy_disk" "this" {
  name                            = "daily"
  vault_id                        = azurerm_data_protection_backup_vault.this.id
  backup_repeating_time_intervals = ["R/2024-01-01T${field.hour < 10 ? "0" : ""}${field.hour}:00:00+00:00/P1D"]
  default_retention_duration      = "P${field.keep_days}D"
}

resource "azurerm_role_assignment" "this_backup_disk" {
  when                 = length(field.disks) > 0
  for_each             = { for d in field.disks : d.name => d.id }
  scope                = each.value
  role_definition_name = "Disk Backup Reader"
  principal_id         = azurerm_data_protection_backup_vault.this.identity[0].principal_id
}

resource "azurerm_role_assignment" "this_backup_snapshots" {
  when                 = length(field.disks) > 0
  scope                = azurerm_resource_group.main.id
  role_definition_name = "Disk Snapshot Contributor"
  principal_id         = azurerm_data_protection_backup_vault.this.identity[0].principal_id
}

resource "azurerm_data_protection_backup_instance_disk" "this" {
  when                         = length(field.disks) > 0
  for_each                     = { for d in field.disks : d.name => d.id }
  name                         = each.key
  location                     = location
  vault_id                     = azurerm_data_protection_backup_vault.this.id
  disk_id                      = each.value
  snapshot_resource_group_name = group
  backup_policy_id             = azurerm_data_protection_backup_policy_disk.this.id

  depends_on = [azurerm_role_assignment.this_backup_disk, azurerm_role_assignment.this_backup_snapshots]
}

out {
  id = azurerm_data_protection_backup_vault.this.id
}
