# Machines, not pods: what starts them is an image and cloud-init, as on every cloud.
manifest "pool.kubevirt.io/v1beta1" "VirtualMachinePool" "this_group" {
  spec = {
    selector = {
      matchLabels = {
        "app.kubernetes.io/name" = object
      }
    }
    virtualMachineTemplate = {
      metadata = {
        labels = {
          "app.kubernetes.io/name" = object
        }
      }
      spec = {
        runStrategy = "Always"
        instancetype = field.machine_type["kubernetes"] == null ? null : {
          name = field.machine_type["kubernetes"]
        }
        dataVolumeTemplates = [{
          metadata = {
            name = "${object}-root"
          }
          spec = {
            source = {
              registry = {
                url = field.os == "ubuntu-24.04" ? "docker://quay.io/containerdisks/ubuntu:24.04" : "docker://quay.io/containerdisks/debian:12"
              }
            }
            storage = {
              resources = {
                requests = {
                  storage = "${field.disk_gib}Gi"
                }
              }
            }
          }
        }]
        template = {
          metadata = {
            labels = merge({ "app.kubernetes.io/name" = object }, labels, {
              "grid/network"       = field.network.name
              "grid/firewall"      = field.firewall.name
              "grid/load-balancer" = field.load_balancer.label
            })
          }
          spec = {
            domain = {
              cpu    = field.machine_type["kubernetes"] != null ? null : { cores = cpus() }
              memory = field.machine_type["kubernetes"] != null ? null : { guest = "${memory_gib()}Gi" }
              devices = {
                disks = concat(
                  [{ name = "root", disk = { bus = "virtio" } }, { name = "cloudinit", disk = { bus = "virtio" } }],
                  field.identity == null ? [] : [{ name = "identity", disk = {} }],
                )
                interfaces = [{ name = "default", masquerade = {} }]
              }
            }
            networks = [{ name = "default", pod = {} }]
            accessCredentials = [{
              sshPublicKey = {
                source = {
                  secret = {
                    secretName = "${object}-keys"
                  }
                }
                propagationMethod = {
                  noCloud = {}
                }
              }
            }]
            readinessProbe = field.load_balancer.health_path == null ? null : {
              httpGet = {
                path = field.load_balancer.health_path
                port = field.load_balancer.port
              }
            }
            volumes = concat(
              [
                { name = "root", dataVolume = { name = "${object}-root" } },
                { name = "cloudinit", cloudInitNoCloud = { userData = coalesce(field.user_data, "#cloud-config\n") } },
              ],
              field.identity == null ? [] : [{ name = "identity", serviceAccount = { serviceAccountName = field.identity.service_account } }],
            )
          }
        }
      }
    }
  }
}

manifest "autoscaling/v2" "HorizontalPodAutoscaler" "this_group" {
  spec = {
    scaleTargetRef = {
      apiVersion = "pool.kubevirt.io/v1beta1"
      kind       = "VirtualMachinePool"
      name       = object
    }
    minReplicas = max(field.min, 1)
    maxReplicas = max(field.max, field.min, 1)
    metrics = [{
      type = "Resource"
      resource = {
        name = "cpu"
        target = {
          type               = "Utilization"
          averageUtilization = field.target_cpu_percent
        }
      }
    }]
  }
}

# Public keys are no secret; this is where KubeVirt reads them.
manifest "v1" "Secret" "this_group_keys" {
  stringData = {
    ops = field.ssh_public_key
  }
}

manifest "v1" "Service" "this_group" {
  when = field.load_balancer.health_path != null
  spec = {
    type = "ClusterIP"
    selector = {
      "app.kubernetes.io/name" = object
    }
    ports = [{ name = "main", port = field.load_balancer.port, protocol = "TCP", targetPort = field.load_balancer.port }]
  }
}

out {
  id            = "${namespace}/virtualmachinepool/${name}-group"
  name          = "${name}-group"
  service       = "${name}-group"
  port          = field.load_balancer.port
  load_balancer = field.load_balancer.label
}
