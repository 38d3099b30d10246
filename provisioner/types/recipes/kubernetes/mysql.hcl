# Its passwords are in the Secret NAME-mysql-secrets, which the operator makes.
manifest "pxc.percona.com/v1" "PerconaXtraDBCluster" "this_mysql" {
  metadata = {
    annotations = field.protect ? { "argocd.argoproj.io/sync-options" = "Prune=false,Delete=false" } : null
  }
  spec = {
    crVersion   = "1.17.0"
    secretsName = "${object}-secrets"
    unsafeFlags = field.high_availability ? null : { pxcSize = true, proxySize = true }
    pxc = {
      # Three keep a majority; two would not.
      size  = field.high_availability ? 3 : 1
      image = field.version == "8.4" ? "percona/percona-xtradb-cluster:8.4.4-4.1" : "percona/percona-xtradb-cluster:8.0.41-32.1"
      labels = {
        "grid/network" = field.network.name
      }
      affinity = {
        antiAffinityTopologyKey = field.high_availability ? "topology.kubernetes.io/zone" : "none"
      }
      resources = {
        requests = {
          cpu    = tostring(cpus())
          memory = "${memory_gib()}Gi"
        }
        limits = {
          memory = "${memory_gib()}Gi"
        }
      }
      volumeSpec = {
        persistentVolumeClaim = {
          resources = {
            requests = {
              storage = "${field.storage_gib}Gi"
            }
          }
        }
      }
    }
    haproxy = {
      enabled = true
      size    = field.high_availability ? 2 : 1
      image   = "percona/haproxy:2.8.14"
      labels = {
        "grid/network" = field.network.name
      }
    }
    backup = {
      image = field.version == "8.4" ? "percona/percona-xtrabackup:8.4.0-2.1" : "percona/percona-xtrabackup:8.0.35-32.1"
      storages = {
        disk = {
          type = "filesystem"
          volume = {
            persistentVolumeClaim = {
              accessModes = ["ReadWriteOnce"]
              resources = {
                requests = {
                  storage = "${field.storage_gib}Gi"
                }
              }
            }
          }
        }
      }
      schedule = [{ name = "daily", schedule = "0 3 * * *", keep = field.backup_days, storageName = "disk" }]
    }
  }
}

# The operator makes no database of its own.
manifest "batch/v1" "Job" "this_mysql_database" {
  spec = {
    backoffLimit = 20
    template = {
      metadata = {
        labels = merge({ "app.kubernetes.io/name" = object }, labels, {
          "grid/network" = field.network.name
        })
      }
      spec = {
        restartPolicy = "OnFailure"
        containers = [{
          name    = "mysql"
          image   = field.version == "8.4" ? "percona/percona-xtradb-cluster:8.4.4-4.1" : "percona/percona-xtradb-cluster:8.0.41-32.1"
          command = ["mysql", "--host=${name}-mysql-haproxy", "--user=root", "--execute=CREATE DATABASE IF NOT EXISTS `${field.database}`"]
          env = [{
            name = "MYSQL_PWD"
            valueFrom = {
              secretKeyRef = {
                name = "${name}-mysql-secrets"
                key  = "root"
              }
            }
          }]
        }]
      }
    }
  }
}

out {
  id       = "${namespace}/perconaxtradbcluster/${name}-mysql"
  host     = "${name}-mysql-haproxy.${namespace}.svc"
  port     = 3306
  database = field.database
}
