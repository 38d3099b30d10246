# Firestore names no keys: documents have an id, and collections are made by writing to them.
resource "google_firestore_database" "this" {
  name                              = full
  location_id                       = var.region
  type                              = "FIRESTORE_NATIVE"
  point_in_time_recovery_enablement = field.backup ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = field.protect ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = "DELETE"
}

out {
  id   = google_firestore_database.this.id
  name = google_firestore_database.this.name
}
