#!/usr/bin/env bash
# Write keys.env with new random keys, unless it is there: the keys of MinIO and Redis inside this
# cluster, and where both are. The same file makes the Secret of other namespaces:
#   kubectl create secret generic driftloop-credentials -n ads --from-env-file=keys.env
set -euo pipefail
cd "$(dirname "$0")"
[ ! -e keys.env ] || exit 0
umask 077
new() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
password=$(new 12)
cat > keys.env <<END
AWS_ENDPOINT_URL=http://driftloop-minio.driftloop-system.svc:9000
AWS_ACCESS_KEY_ID=$(new 8)
AWS_SECRET_ACCESS_KEY=$(new 20)
REDIS_PASSWORD=$password
DRIFTLOOP_ONLINE_STORE=redis://:$password@driftloop-redis.driftloop-system.svc:6379
END
