resource "google_backup_dr_backup_vault" "this" {
  backup_vault_id                            = full
  location                                   = var.region
  backup_minimum_enforced_retention_duration = "${min(field.keep_days, 3) * 86400}s"
  labels                                     = labels
}

resource "google_backup_dr_backup_plan" "this" {
  backup_plan_id = full
  location       = var.region
  resource_type  = "compute.googleapis.com/Disk"
  backup_vault   = google_backup_dr_backup_vault.this.id

  backup_rules {
    rule_id               = "daily"
    backup_retention_days = field.keep_days

    standard_schedule {
      recurrence_type = "DAILY"
      time_zone       = "UTC"

      # Windows are six hours long at least and end at midnight at the latest.
      backup_window {
        start_hour_of_day = min(field.hour, 18)
        end_hour_of_day   = min(field.hour, 18) + 6
      }
    }
  }
}

resource "google_backup_dr_backup_plan_association" "this" {
  when                       = length(field.disks) > 0
  for_each                   = { for d in field.disks : d.name => d.id }
  backup_plan_association_id = "${short(40)}-${each.key}"
  location                   = var.region
  resource_type              = "compute.googleapis.com/Disk"
  resource                   = each.value
  backup_plan                = google_backup_dr_backup_plan.this.name
}

out {
  id = google_backup_dr_backup_plan.this.id
}
