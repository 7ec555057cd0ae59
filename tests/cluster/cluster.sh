#!/usr/bin/env bash
# A real Kubernetes API server on this machine, for tests: etcd and kube-apiserver from their Go
# modules; node.sh adds a node. Needs Go and openssl; every process is stopped by pid.
#   cluster.sh build      compile the binaries once (cached in DRIFTLOOP_CLUSTER_CACHE)
#   cluster.sh built      say by the exit code whether they are there
#   cluster.sh path       print the folder they lie in
#   cluster.sh crds       print the folder with the Gateway API's kinds
#   cluster.sh up DIR     start, wait until ready, write DIR/admin.conf
#   cluster.sh stop DIR   kill the API server; go-on DIR starts it again
#   cluster.sh crash DIR  kill the API server and start it again
#   cluster.sh down DIR   stop what `up` started and remove DIR
set -euo pipefail
. "$(dirname "$0")/../../manifests/overlays/kind/versions.env"
KUBERNETES=${KUBERNETES_VERSION:-$KUBERNETES}
ETCD=${ETCD_VERSION:-v3.6.8}
COREDNS=${COREDNS_VERSION:-v1.14.3}
CACHE=${DRIFTLOOP_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/driftloop-cluster}
HOST=${CLUSTER_HOST:-127.0.0.1} # where the API server listens; pods reach no loopback address
BIN=$CACHE/$KUBERNETES-$ETCD-$COREDNS
CRDS=$CACHE/gateway-api-$GATEWAY_API

PROGRAMS="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl"

build() {
  [ -d "$CRDS" ] || gateway_crds
  built && return
  mkdir -p "$BIN" "$CACHE/src/kubernetes" "$CACHE/src/etcd" "$CACHE/src/coredns"
  export CGO_ENABLED=0 GOFLAGS=-mod=mod
  cd "$CACHE/src/kubernetes"
  # k8s.io/kubernetes names its staging modules v0.0.0: each is replaced by its release v0.x.y.
  local module program
  module=$(go mod download -json "k8s.io/kubernetes@$KUBERNETES" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["GoMod"])')
  {
    printf 'module cluster\n\ngo 1.24.0\n\nrequire k8s.io/kubernetes %s\n\nreplace (\n' "$KUBERNETES"
    grep -oE 'k8s\.io/\S+ => \./staging' "$module" \
      | awk -v version="v0${KUBERNETES#v1}" '{print "\t" $1 " => " $1 " " version}' | sort -u
    echo ')'
  } > go.mod
  {
    printf '//go:build tools\n\npackage tools\n\nimport (\n'
    for program in $PROGRAMS; do printf '\t_ "k8s.io/kubernetes/cmd/%s"\n' "$program"; done
    echo ')'
  } > tools.go
  go mod tidy
  local stamp=k8s.io/component-base/version minor
  minor=$(cut -d. -f2 <<< "$KUBERNETES")
  for program in $PROGRAMS; do
    go build -ldflags "-s -w -X $stamp.gitVersion=$KUBERNETES -X $stamp.gitMajor=1 \
      -X $stamp.gitMinor=$minor" -o "$BIN/$program" "k8s.io/kubernetes/cmd/$program"
  done
  module_binary etcd "go.etcd.io/etcd/server/v3" "$ETCD"
  module_binary coredns "github.com/coredns/coredns" "$COREDNS"
}

gateway_crds() {
  local found
  found=$(go mod download -json "sigs.k8s.io/gateway-api@$GATEWAY_API" \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
  mkdir -p "$CRDS"
  cp "$found"/config/crd/standard/*_{gatewayclasses,gateways,httproutes}.yaml "$CRDS"
}

module_binary() { # NAME MODULE VERSION
  cd "$CACHE/src/$1"
  [ -f go.mod ] || printf 'module %s\n\ngo 1.24.0\n' "$1-build" > go.mod
  go get "$2@$3"
  go build -ldflags '-s -w' -o "$BIN/$1" "$2"
}

built() {
  local program
  [ -d "$CRDS" ] || return 1
  for program in $PROGRAMS etcd coredns; do [ -x "$BIN/$program" ] || return 1; done
}

certificate() { # NAME COMMON_NAME ORGANISATION SUBJECT_ALTERNATIVES
  openssl req -newkey rsa:2048 -nodes -keyout "$1.key" -out "$1.csr" -subj "/O=$3/CN=$2" 2>/dev/null
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$4" > "$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
    -extfile "$1.ext" 2>/dev/null
}

free_port() { python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

kubeconfig() { # NAME: NAME.conf, with NAME.crt as the client's certificate
  python3 - "$1" "$HOST" "$(cat api.port)" <<'P'
import base64, json, pathlib, sys
user, host, port = sys.argv[1:]
text = lambda name: base64.b64encode(pathlib.Path(name).read_bytes()).decode()
cluster = {"server": f"https://{host}:{port}", "certificate-authority-data": text("ca.crt")}
known = {"client-certificate-data": text(f"{user}.crt"), "client-key-data": text(f"{user}.key")}
content = {
    "apiVersion": "v1", "kind": "Config", "current-context": "test",
    "clusters": [{"name": "test", "cluster": cluster}],
    "users": [{"name": user, "user": known}],
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
}
pathlib.Path(f"{user}.conf").write_text(json.dumps(content))
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
  echo "$client" > etcd.port; echo "$api" > api.port; echo "$peer" > peer.port
  echo "$HOST" > host
  certificate server kube-apiserver k8s "IP:127.0.0.1,IP:10.96.0.1,IP:$HOST,DNS:localhost"
  certificate admin admin system:masters DNS:admin
  openssl genrsa -out accounts.key 2048 2>/dev/null
  openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
  kubeconfig admin
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
  HOST=$(cat host)
  start apiserver "$BIN/kube-apiserver" --etcd-servers="http://127.0.0.1:$(cat etcd.port)" \
    --bind-address="$HOST" --allow-privileged --secure-port="$(cat api.port)" --service-cluster-ip-range=10.96.0.0/16 \
    --tls-cert-file=server.crt --tls-private-key-file=server.key --client-ca-file=ca.crt \
    --service-account-key-file=accounts.pub --service-account-signing-key-file=accounts.key \
    --service-account-issuer=https://kubernetes.default.svc --authorization-mode=Node,RBAC \
    --kubelet-client-certificate=admin.crt --kubelet-client-key=admin.key --kubelet-certificate-authority=ca.crt \
    --kubelet-preferred-address-types=InternalIP
  python3 - "$HOST" <<'P'
import pathlib, ssl, sys, time, urllib.request
trust = ssl.create_default_context(cafile="ca.crt")
trust.load_cert_chain("admin.crt", "admin.key")
url = f"https://{sys.argv[1]}:{pathlib.Path('api.port').read_text().strip()}/readyz"
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

[ "${BASH_SOURCE[0]}" = "$0" ] || return 0 # node.sh takes the functions above
case "${1:-}" in
  build) build ;;
  built) built ;;
  path) echo "$BIN" ;;
  crds) echo "$CRDS" ;;
  up) up "$2" ;;
  down) down "$2" ;;
  stop) cd "$2" && stop apiserver KILL ;;
  go-on) cd "$2" && start_apiserver ;;
  crash) cd "$2" && stop apiserver KILL && start_apiserver ;;
  *) sed -n 2,13p "$0"; exit 2 ;;
esac
