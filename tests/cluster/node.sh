#!/usr/bin/env bash
# One node for the API server of cluster.sh: controller-manager, scheduler, containerd, kubelet,
# kube-proxy and CoreDNS on this machine. Needs root, and Debian's containerd,
# containernetworking-plugins, iptables, conntrack, socat, ethtool and gcc.
#   node.sh host        print the address that pods can reach this machine by
#   node.sh up DIR      join a node to the API server that runs in DIR, wait until it is Ready
#   node.sh load DIR A  import the `docker save` archive A into the node
#   node.sh down DIR    stop what `up` started, pods included
set -euo pipefail
# shellcheck source=tests/cluster/cluster.sh
source "$(dirname "$0")/cluster.sh"
host() { hostname -I | awk '{print $1}'; }
HOST=$(host)
SERVICES=(-d 10.96.0.0/16 -j REJECT)

up() {
  cd "$1"
  local dir
  dir=$(pwd)
  mkdir -p cni kubelet
  certificate kubelet system:node:node1 system:nodes "DNS:node1,IP:127.0.0.1,IP:$HOST"
  kubeconfig kubelet
  start controller-manager "$BIN/kube-controller-manager" --kubeconfig=admin.conf --leader-elect=false \
    --service-account-private-key-file=accounts.key --root-ca-file=ca.crt --use-service-account-credentials
  start scheduler "$BIN/kube-scheduler" --kubeconfig=admin.conf --leader-elect=false
  # restrict_oom_score_adj: without CAP_SYS_RESOURCE runc may not lower oom_score_adj and dies.
  cat > containerd.toml <<T
version = 2
root = "$dir/containerd"
state = "$dir/run"
[grpc]
  address = "$dir/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
T
  # firewall: a Docker engine beside it drops what is forwarded; this lets the pods' traffic through.
  cat > cni/10-pods.conflist <<'T'
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": true, "ipam": {"type": "host-local",
   "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "firewall"}, {"type": "portmap", "capabilities": {"portMappings": true}}]}
T
  # What is left of a Service's address here has no endpoint. `firewall` would let it leave the
  # machine before kube-proxy's REJECT, and whatever is beyond may answer: its first chain is ours.
  iptables -N CNI-ADMIN 2>/dev/null || true
  iptables -C CNI-ADMIN "${SERVICES[@]}" 2>/dev/null || iptables -A CNI-ADMIN "${SERVICES[@]}"
  start containerd containerd -c containerd.toml
  for _ in $(seq 40); do runtime version >/dev/null 2>&1 && break; sleep 0.25; done
  pause_image
  cat > kubelet.yaml <<T
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: $dir/ca.crt}, webhook: {enabled: true}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: unix://$dir/containerd.sock
cgroupDriver: cgroupfs
failSwapOn: false
tlsCertFile: $dir/kubelet.crt
tlsPrivateKeyFile: $dir/kubelet.key
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
evictionHard: {nodefs.available: "1%", imagefs.available: "1%", memory.available: "100Mi"}
imageGCHighThresholdPercent: 100
T
  start kubelet "$BIN/kubelet" --config=kubelet.yaml --kubeconfig=kubelet.conf \
    --hostname-override=node1 --root-dir="$dir/kubelet"
  cat > proxy.yaml <<T
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $dir/admin.conf}
mode: iptables
clusterCIDR: 10.88.0.0/16
hostnameOverride: node1
conntrack: {maxPerCore: 0}
T
  start proxy "$BIN/kube-proxy" --config=proxy.yaml
  names
  for _ in $(seq 90); do
    admin get node node1 2>/dev/null | grep -q ' Ready' && return
    sleep 1
  done
  echo "The node was not Ready after 90 s: see $dir/kubelet.log." >&2
  return 1
}

admin() { "$BIN/kubectl" --kubeconfig=admin.conf --cache-dir=kubectl "$@"; }

runtime() { ctr -a containerd.sock -n k8s.io "$@"; }

names() { # CoreDNS on this machine, reached at the cluster's DNS address by a Service without selector
  cat > Corefile <<T
.:10053 {
  bind $HOST
  kubernetes cluster.local {
    kubeconfig $(pwd)/admin.conf test
  }
  cache 5
}
T
  start coredns "$BIN/coredns" -conf Corefile
  admin apply -f - >/dev/null <<T
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: 10.96.0.10
  ports:
    - {name: dns, port: 53, targetPort: 10053, protocol: UDP}
    - {name: dns-tcp, port: 53, targetPort: 10053, protocol: TCP}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-host, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports:
  - {name: dns, port: 10053, protocol: UDP}
  - {name: dns-tcp, port: 10053, protocol: TCP}
endpoints: [{addresses: ["$HOST"]}]
T
}

pause_image() { # a sandbox image without a registry: one static binary in a hand-made archive
  runtime images ls -q | grep -q localhost/pause:1 && return
  local folder digest
  folder=$(mktemp -d)
  cat > "$folder/pause.c" <<'C'
#include <signal.h>
#include <unistd.h>
static void end(int number) { _exit(0); }
int main() { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
C
  gcc -static -Os -o "$folder/pause" "$folder/pause.c"
  tar -C "$folder" -cf "$folder/layer.tar" pause
  digest=$(sha256sum "$folder/layer.tar" | cut -d' ' -f1)
  printf '{"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/pause"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:%s"]}}' "$digest" > "$folder/config.json"
  echo '[{"Config": "config.json", "RepoTags": ["localhost/pause:1"], "Layers": ["layer.tar"]}]' \
    > "$folder/manifest.json"
  tar -C "$folder" -cf "$folder/image.tar" manifest.json config.json layer.tar
  runtime images import "$folder/image.tar" >/dev/null
  rm -r "$folder"
}

down() {
  [ -d "$1" ] || return 0
  cd "$1"
  local name
  for name in scheduler controller-manager; do stop "$name"; done
  # By the kubelet, so that addresses and interfaces are given back.
  timeout 30 "$BIN/kubectl" --kubeconfig=admin.conf delete pods -A --all --grace-period=1 --wait=false \
    >/dev/null 2>&1 || true
  for _ in $(seq 30); do
    [ -z "$(runtime tasks ls -q 2>/dev/null)" ] && break
    sleep 1
  done
  for name in kubelet proxy coredns; do stop "$name"; done
  iptables -D CNI-ADMIN "${SERVICES[@]}" 2>/dev/null || true
  if [ -f containerd.pid ]; then
    runtime tasks ls -q 2>/dev/null | xargs -r -n1 ctr -a containerd.sock -n k8s.io tasks kill -s KILL \
      >/dev/null 2>&1 || true
    stop containerd
    pkill -KILL -f "containerd-shim.* -address $(pwd)/containerd.sock" || true
  fi
  awk -v below="$(pwd)/" 'index($2, below) == 1 {print $2}' /proc/mounts | sort -r \
    | xargs -r -n1 umount -l 2>/dev/null || true
}

case "${1:-}" in
  host) host ;;
  up) up "$2" ;;
  load) cd "$2" && runtime images import "$3" >/dev/null ;;
  down) down "$2" ;;
  *) sed -n 2,9p "$0"; exit 2 ;;
esac
