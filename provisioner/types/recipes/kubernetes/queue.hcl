# All queues are in one broker.
manifest "rabbitmq.com/v1beta1" "RabbitmqCluster" "rabbitmq" {
  when = field.topic == null
  spec = {
    replicas = 3
  }
}

manifest "rabbitmq.com/v1beta1" "Queue" "this" {
  when = field.topic == null
  spec = {
    name    = full
    type    = "quorum"
    durable = true
    arguments = {
      x-message-ttl             = field.keep_days * 86400000
      x-consumer-timeout        = field.visibility_seconds * 1000
      x-delivery-limit          = field.max_receives
      x-dead-letter-exchange    = ""
      x-dead-letter-routing-key = "${full}-dead"
    }
    rabbitmqClusterReference = {
      name = "rabbitmq"
    }
  }
}

# What is put aside waits here until somebody looks.
manifest "rabbitmq.com/v1beta1" "Queue" "this_dead" {
  when = field.topic == null
  spec = {
    name    = "${full}-dead"
    type    = "quorum"
    durable = true
    rabbitmqClusterReference = {
      name = "rabbitmq"
    }
  }
}

# What comes from a topic stays in its stream; this is who reads there, and how far they are. How long messages wait is the topic's.
manifest "jetstream.nats.io/v1beta2" "Consumer" "this" {
  when = field.topic != null
  spec = {
    streamName    = field.topic.name
    durableName   = full
    deliverPolicy = "all"
    ackPolicy     = "explicit"
    ackWait       = "${field.visibility_seconds}s"
    maxDeliver    = field.max_receives
  }
}

out {
  id   = field.topic == null ? "${namespace}/queue/${name}" : "${namespace}/consumer/${name}"
  name = full
}
