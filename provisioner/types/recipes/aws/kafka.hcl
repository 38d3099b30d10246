resource "aws_security_group" "this_kafka" {
  name        = "${full}-kafka"
  description = "Grid: ${address}"
  vpc_id      = field.network.id
  tags        = tags

  ingress {
    description = "clients by IAM over TLS"
    from_port   = 9098
    to_port     = 9098
    protocol    = "tcp"
    cidr_blocks = [field.network.cidr]
  }

  egress {
    description = "everything"
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_msk_cluster" "this" {
  cluster_name           = full
  kafka_version          = "${field.version}.x"
  number_of_broker_nodes = field.brokers / field.network.zones * field.network.zones
  tags                   = tags

  broker_node_group_info {
    instance_type   = machine("kafka")
    client_subnets  = field.network.private_subnet_ids
    security_groups = [aws_security_group.this_kafka.id]

    storage_info {
      ebs_storage_info {
        volume_size = field.storage_gib
      }
    }
  }

  client_authentication {
    sasl {
      iam = true
    }
  }

  encryption_info {
    encryption_in_transit {
      client_broker = "TLS"
      in_cluster    = true
    }
  }
}

out {
  id        = aws_msk_cluster.this.arn
  bootstrap = aws_msk_cluster.this.bootstrap_brokers_sasl_iam
}
