manifest "kubevirt.io/v1" "VirtualMachine" "this_vm" {
  spec = {
    runStrategy = field.running ? "Always" : "Halted"
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
          "grid/network"  = field.network.name
          "grid/firewall" = field.firewall.name
        })
      }
      spec = {
        domain = {
          cpu    = field.machine_type["kubernetes"] != null ? null : { cores = cpus() }
          memory = field.machine_type["kubernetes"] != null ? null : { guest = "${memory_gib()}Gi" }
          devices = {
            disks = concat(
              [{ name = "root", disk = { bus = "virtio" } }, { name = "cloudinit", disk = { bus = "virtio" } }],
              [for d in users.block_disk : { name = "disk-${d.name}", disk = { bus = "virtio" } }],
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
        volumes = concat(
          [
            { name = "root", dataVolume = { name = "${object}-root" } },
            { name = "cloudinit", cloudInitNoCloud = { userData = coalesce(field.user_data, "#cloud-config\n") } },
          ],
          [for d in users.block_disk : { name = "disk-${d.name}", persistentVolumeClaim = { claimName = d.name } }],
          field.identity == null ? [] : [{ name = "identity", serviceAccount = { serviceAccountName = field.identity.service_account } }],
        )
      }
    }
  }
}

# Public keys are no secret; this is where KubeVirt reads them.
manifest "v1" "Secret" "this_vm_keys" {
  stringData = {
    ops = field.ssh_public_key
  }
}

# Its name in the network.
manifest "v1" "Service" "this_vm" {
  spec = {
    clusterIP = "None"
    selector = {
      "app.kubernetes.io/name" = object
    }
  }
}

# From outside come connections of SSH, and what its firewall lets in.
manifest "v1" "Service" "this_vm_public" {
  when = field.public_ip
  spec = {
    type                  = "LoadBalancer"
    externalTrafficPolicy = "Local"
    selector = {
      "app.kubernetes.io/name" = "${name}-vm"
    }
    ports = concat([{ name = "ssh", port = 22, protocol = "TCP", targetPort = 22 }], field.firewall == null ? [] : field.firewall.ports)
  }
}

out {
  id         = "${namespace}/virtualmachine/${name}-vm"
  private_ip = "${name}-vm.${namespace}.svc"
  name       = "${name}-vm"
}
