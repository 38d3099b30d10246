resource "azurerm_managed_disk" "this" {
  name                 = full
  resource_group_name  = group
  location             = location
  create_option        = "Empty"
  disk_size_gb         = field.size_gib
  storage_account_type = { standard = "StandardSSD_LRS", balanced = "Premium_LRS", fast = "PremiumV2_LRS" }[field.class]
  zone                 = field.class == "fast" ? "1" : null
  tags                 = tags
}

resource "azurerm_virtual_machine_data_disk_attachment" "this" {
  when               = field.vm != null
  managed_disk_id    = azurerm_managed_disk.this.id
  virtual_machine_id = field.vm.id
  lun                = 10
  caching            = field.class == "fast" ? "None" : "ReadOnly"
}

out {
  id   = azurerm_managed_disk.this.id
  name = name
}
