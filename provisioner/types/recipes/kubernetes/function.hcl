# It starts from the image of its language, fetches the archive out of the bucket, and serves the handler.
manifest "v1" "ConfigMap" "this_function" {
  data = {
    "start.sh" = field.runtime == "python-3.12" ? join("\n", [
      "set -e",
      "pip install --quiet --target /tmp/libs boto3 functions-framework",
      "export PYTHONPATH=/tmp/libs:/tmp/code",
      "python - <<'END'",
      "import boto3, os, zipfile",
      "at = os.environ",
      "store = boto3.client('s3', endpoint_url='http://%s:%s' % (at['BUCKET_HOST'], at['BUCKET_PORT']))",
      "store.download_file(at['BUCKET_NAME'], at['ARCHIVE'], '/tmp/code.zip')",
      "zipfile.ZipFile('/tmp/code.zip').extractall('/tmp/code')",
      "END",
      "exec python -m functions_framework --source \"/tmp/code/$${HANDLER%.*}.py\" --target \"$${HANDLER##*.}\" --port \"$PORT\"\n",
    ]) : join("\n", [
      "set -e",
      "npm install --silent --prefix /tmp/libs @aws-sdk/client-s3 @google-cloud/functions-framework adm-zip",
      "export NODE_PATH=/tmp/libs/node_modules",
      "node - <<'END'",
      "const { S3 } = require('@aws-sdk/client-s3'), Zip = require('adm-zip');",
      "const at = process.env, endpoint = `http://$${at.BUCKET_HOST}:$${at.BUCKET_PORT}`;",
      "const store = new S3({ endpoint, forcePathStyle: true, region: at.BUCKET_REGION || 'us-east-1' });",
      "store.getObject({ Bucket: at.BUCKET_NAME, Key: at.ARCHIVE })",
      "  .then((found) => found.Body.transformToByteArray())",
      "  .then((bytes) => new Zip(Buffer.from(bytes)).extractAllTo('/tmp/code', true));",
      "END",
      "exec node /tmp/libs/node_modules/.bin/functions-framework --source \"/tmp/code/$${HANDLER%.*}.js\" --target \"$${HANDLER##*.}\" --port \"$PORT\"\n",
    ])
  }
}

manifest "serving.knative.dev/v1" "Service" "this_function" {
  metadata = {
    labels = {
      "networking.knative.dev/visibility" = "cluster-local"
    }
  }
  spec = {
    template = {
      metadata = {
        annotations = {
          "autoscaling.knative.dev/max-scale" = tostring(field.max_instances)
        }
      }
      spec = {
        serviceAccountName   = field.identity.service_account
        timeoutSeconds       = field.timeout_seconds
        containerConcurrency = 1
        containers = [{
          image   = field.runtime == "python-3.12" ? "python:3.12-slim" : "node:22-slim"
          command = ["sh", "/start/start.sh"]
          env = concat(
            [{ name = "ARCHIVE", value = field.archive }, { name = "HANDLER", value = field.handler }],
            field.env == null ? [] : [for key, value in field.env : { name = key, value = value }],
          )
          # The bucket's claim has both of them made.
          envFrom = [
            { configMapRef = { name = field.source.claim } },
            { secretRef = { name = field.source.claim } },
          ]
          resources = {
            requests = {
              memory = "${field.memory_mib}Mi"
            }
            limits = {
              memory = "${field.memory_mib}Mi"
            }
          }
          volumeMounts = [{ name = "start", mountPath = "/start", readOnly = true }]
        }]
        volumes = [{ name = "start", configMap = { name = object } }]
      }
    }
  }
}

out {
  id   = "${namespace}/service/${name}-function"
  name = "${name}-function"
}
