#!/usr/bin/env bash
# A real Kubernetes API server on this machine, for tests: etcd and kube-apiserver from their Go
# modules, no node, no container runtime. Needs Go and openssl; every process is stopped by pid.
#   cluster.sh build      compile the binaries once (cached in DRIFTLOOP_CLUSTER_CACHE)
#   cluster.sh built      say by the exit code whether they are there
#   cluster.sh up DIR     start, wait until ready, write DIR/admin.conf
#   cluster.sh crash DIR  kill the API server and start it again
#   cluster.sh down DIR   stop what `up` started and remove DIR
set -euo pipefail
KUBERNETES=${KUBERNETES_VERSION:-v1.34.4}
ETCD=${ETCD_VERSION:-v3.6.8}
CACHE=${DRIFTLOOP_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/driftloop-cluster}
BIN=$CACHE/$KUBERNETES-$ETCD

build() {
  [ -x "$BIN/kube-apiserver" ] && [ -x "$BIN/etcd" ] && return
  mkdir -p "$BIN" "$CACHE/src/kubernetes" "$CACHE/src/etcd"
  export CGO_ENABLED=0 GOFLAGS=-mod=mod
  cd "$CACHE/src/kubernetes"
  # k8s.io/kubernetes names its staging modules v0.0.0: each is replaced by its release v0.x.y.
  local module
  module=$(go mod download -json "k8s.io/kubernetes@$KUBERNETES" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["GoMod"])')
  {
    printf 'module apiserver\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$KUBERNETES"
    grep -oE 'k8s\.io/\S+ => \./staging' "$module" \
      | awk -v version="v0${KUBERNETES#v1}" '{print "\t" $1 " => " $1 " " version}' | sort -u
    echo ')'
  } > go.mod
  printf '//go:build tools\n\npackage tools\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver"\n' \
    > tools.go
  go mod tidy
  local stamp=k8s.io/component-base/version minor
  minor=$(cut -d. -f2 <<< "$KUBERNETES")
  go build -ldflags "-s -w -X $stamp.gitVersion=$KUBERNETES -X $stamp.gitMajor=1 \
    -X $stamp.gitMinor=$minor" -o "$BIN/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver
  cd "$CACHE/src/etcd"
  [ -f go.mod ] || printf 'module etcd\n\ngo 1.24.0\n' > go.mod
  go get "go.etcd.io/etcd/server/v3@$ETCD"
  go build -ldflags '-s -w' -o "$BIN/etcd" go.etcd.io/etcd/server/v3
}

certificate() { # NAME COMMON_NAME ORGANISATION SUBJECT_ALTERNATIVES
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/O=$3/CN=$2" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$4" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
    -extfile "$1.ext" 2>/dev/null
}

free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

kubeconfig() { # FILE PORT: who holds it is an administrator
  python3 - "$@" <<'P'
import base64, json, pathlib, sys
target, port = sys.argv[1], sys.argv[2]
text = lambda name: base64.b64encode(pathlib.Path(name).read_bytes()).decode()
cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": text("ca.crt")}
user = {"client-certificate-data": text("admin.crt"), "client-key-data": text("admin.key")}
content = {
    "apiVersion": "v1", "kind": "Config", "current-context": "test",
    "clusters": [{"name": "test", "cluster": cluster}],
    "users": [{"name": "admin", "user": user}],
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
}
pathlib.Path(target).write_text(json.dumps(content))
P
}

start() { # NAME COMMAND...: in the background, its pid in NAME.pid
  local name=$1
  shift
  nohup "$@" > "$name.log" 2>&1 < /dev/null &
  echo $! > "$name.pid"
}

up() {
  mkdir -p "$1" && cd "$1"
  local client peer api
  client=$(free_port) peer=$(free_port) api=$(free_port)
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=test 2>/dev/null
  certificate server kube-apiserver k8s IP:127.0.0.1,IP:10.96.0.1,DNS:localhost
  certificate admin admin system:masters DNS:admin
  openssl genrsa -out accounts.key 2048 2>/dev/null
  openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
  kubeconfig admin.conf "$api"
  echo "$client" > etcd.port; echo "$api" > api.port; echo "$peer" > peer.port
  start_etcd
  start_apiserver
}

start_etcd() {
  local client peer
  client=$(cat etcd.port) peer=$(cat peer.port)
  start etcd "$BIN/etcd" --data-dir etcd --unsafe-no-fsync --listen-client-urls "http://127.0.0.1:$client" \
    --advertise-client-urls "http://127.0.0.1:$client" --listen-peer-urls "http://127.0.0.1:$peer" \
    --initial-advertise-peer-urls "http://127.0.0.1:$peer" --initial-cluster "default=http://127.0.0.1:$peer"
}

start_apiserver() {
  start apiserver "$BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$(cat etcd.port)" \
    --bind-address=127.0.0.1 --secure-port="$(cat api.port)" --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file=server.crt --tls-private-key-file=server.key --client-ca-file=ca.crt \
    --service-account-key-file=accounts.pub --service-account-signing-key-file=accounts.key \
    --service-account-issuer=https://kubernetes.default.svc --authorization-mode=RBAC
  python3 - <<'P'
import pathlib, ssl, sys, time, urllib.request
trust = ssl.create_default_context(cafile="ca.crt")
trust.load_cert_chain("admin.crt", "admin.key")
url = f"https://127.0.0.1:{pathlib.Path('api.port').read_text().strip()}/readyz"
for _ in range(240):
    try:
        urllib.request.urlopen(url, context=trust, timeout=2).read()
        sys.exit(0)
    except OSError:
        time.sleep(0.5)
sys.exit("The API server was not ready after 120 s: see apiserver.log.")
P
}

stop() { # NAME [SIGNAL]: and wait until it is gone
  [ -f "$1.pid" ] || return 0
  local pid
  pid=$(cat "$1.pid")
  kill "-${2:-TERM}" "$pid" 2>/dev/null || true
  timeout 30 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
  rm -f "$1.pid"
}

down() {
  [ -d "$1" ] || return 0
  cd "$1"
  stop apiserver
  stop etcd
  cd /
  rm -rf "$1"
}

case "${1:-}" in
  build) build ;;
  built) [ -x "$BIN/kube-apiserver" ] && [ -x "$BIN/etcd" ] ;;
  up) up "$2" ;;
  down) down "$2" ;;
  crash) cd "$2" && stop apiserver KILL && start_apiserver ;;
  *) sed -n 2,10p "$0"; exit 2 ;;
esac
