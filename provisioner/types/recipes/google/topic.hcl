resource "google_pubsub_topic" "this" {
  name                       = full
  message_retention_duration = field.keep_days == null ? null : "${field.keep_days * 86400}s"
  labels                     = labels
}

out {
  id   = google_pubsub_topic.this.id
  name = google_pubsub_topic.this.name
}
