#!/usr/bin/env bash
# Make a kind cluster named driftloop with all that Driftloop needs, and Driftloop in it; run again,
# it goes on where it stopped. Needs docker, kind, kubectl, curl, Go and make, and the internet.
set -euo pipefail
cd "$(dirname "$0")"
. ./versions.env
root=$(cd ../../.. && pwd)
releases=https://github.com
pipelines=$releases/kubeflow/pipelines/manifests/kustomize

kind get clusters | grep -qx driftloop \
  || kind create cluster --name driftloop --image "kindest/node:$KUBERNETES" --wait 120s
kubectl config use-context kind-driftloop

# Envoy's release brings the Gateway API's kinds.
kubectl apply --server-side -f "$releases/envoyproxy/gateway/releases/download/$ENVOY_GATEWAY/install.yaml"
kubectl wait -n envoy-gateway-system deploy/envoy-gateway --for=condition=Available --timeout=300s

# cert-manager and KServe, Standard mode.
curl -fsSL "$releases/kserve/kserve/releases/download/$KSERVE/kserve-standard-mode-full-install-with-manifests.sh" | bash
kubectl wait -n kserve deploy/kserve-controller-manager --for=condition=Available --timeout=300s

kubectl apply -k "$pipelines/cluster-scoped-resources?ref=$KFP"
kubectl wait --for=condition=established --timeout=60s crd/applications.app.k8s.io
kubectl apply -k "$pipelines/env/platform-agnostic?ref=$KFP"
kubectl wait -n kubeflow deploy/ml-pipeline --for=condition=Available --timeout=900s

make -C "$root" image image-minio
kind load docker-image --name driftloop \
  driftloop/platform:latest driftloop/drift-sidecar:latest driftloop/minio:latest
../laptop/keys.sh
kubectl apply -k .
for namespace in kubeflow ads; do
  kubectl get namespace "$namespace" >/dev/null 2>&1 || kubectl create namespace "$namespace"
  kubectl create secret generic driftloop-credentials -n "$namespace" \
    --from-env-file=../laptop/keys.env --dry-run=client -o yaml | kubectl apply -f -
done
kubectl apply -n ads -k ../../namespace
kubectl wait -n driftloop-system deploy --all --for=condition=Available --timeout=300s
echo "Ready: kubectl apply -n ads -f usecases/ads_ctr/loop.yaml"
