# Where nodes stand, what they start from and their disks are in the node class, which is of the cloud below.
cluster_manifest "karpenter.sh/v1" "NodePool" "this" {
  spec = {
    limits = {
      nodes = tostring(field.max)
    }
    template = {
      metadata = {
        labels = {
          "grid/cluster"   = field.cluster.name
          "grid/node-pool" = object
        }
      }
      spec = {
        nodeClassRef = {
          group = "karpenter.k8s.aws"
          kind  = "EC2NodeClass"
          name  = "default"
        }
        requirements = concat(
          [{ key = "karpenter.sh/capacity-type", operator = "In", values = [field.spot ? "spot" : "on-demand"] }],
          field.machine_type["kubernetes"] != null ? [{ key = "node.kubernetes.io/instance-type", operator = "In", values = [field.machine_type["kubernetes"]] }] : [
            { key = "karpenter.k8s.aws/instance-cpu", operator = "Gt", values = [tostring(cpus() - 1)] },
            { key = "karpenter.k8s.aws/instance-memory", operator = "Gt", values = [tostring(memory_gib() * 1024 - 1)] },
          ],
        )
      }
    }
  }
}

out {
  id = "nodepool/${name}"
}
