resource "google_pubsub_topic" "this_queue" {
  when   = field.topic == null
  name   = "${full}-queue"
  labels = labels
}

resource "google_pubsub_topic" "this_dead" {
  name   = "${full}-dead"
  labels = labels
}

# What is put aside waits here until somebody looks.
resource "google_pubsub_subscription" "this_dead" {
  name                       = "${full}-dead"
  topic                      = google_pubsub_topic.this_dead.id
  message_retention_duration = "604800s"
  labels                     = labels
}

resource "google_pubsub_subscription" "this" {
  name                       = full
  topic                      = field.topic == null ? google_pubsub_topic.this_queue.id : field.topic.id
  ack_deadline_seconds       = field.visibility_seconds
  message_retention_duration = "${field.keep_days * 86400}s"
  labels                     = labels

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.this_dead.id
    max_delivery_attempts = field.max_receives
  }

  expiration_policy {
    ttl = ""
  }
}

out {
  id   = google_pubsub_subscription.this.id
  name = google_pubsub_subscription.this.name
}
