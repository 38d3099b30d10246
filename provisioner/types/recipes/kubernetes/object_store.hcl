# Where the bucket is and the key to it are in a ConfigMap and a Secret of its name, which its provisioner makes.
manifest "objectbucket.io/v1alpha1" "ObjectBucketClaim" "this_bucket" {
  spec = {
    bucketName       = short(63)
    storageClassName = field.class == "infrequent" ? "buckets-infrequent" : "buckets"
    additionalConfig = field.expire_days == null ? null : {
      bucketLifecycle = "{\"Rules\": [{\"ID\": \"expire\", \"Status\": \"Enabled\", \"Prefix\": \"\", \"Expiration\": {\"Days\": ${field.expire_days}}}]}"
    }
  }
}

out {
  id    = "${namespace}/objectbucketclaim/${name}-bucket"
  name  = short(63)
  url   = "s3://${short(63)}"
  claim = "${name}-bucket"
}
