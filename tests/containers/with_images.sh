#!/usr/bin/env bash
# Build both images, then run the command given, which finds the engine in its environment. Where
# none answers, one is started and stopped again; where BASE_IMAGE is not given, the base is made
# by debootstrap, so no image registry is needed. Must run as root for those two.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
engine=""
finish() {
    if [ -n "$engine" ]; then
        kill "$engine" 2>/dev/null || true
        wait "$engine" 2>/dev/null || true
    fi
    umount "$scratch/exec/netns/default" 2>/dev/null || true # the engine's own, left behind
    rm -rf "$scratch"
}
trap finish EXIT

if ! docker info >/dev/null 2>&1; then
    echo "Starting a Docker engine of our own."
    export DOCKER_HOST="unix://$scratch/docker.sock"
    # No bridge and no packet filter: builds and steps use the host's network.
    dockerd --host "$DOCKER_HOST" --data-root "${DRIFTLOOP_DOCKER_ROOT:-/var/lib/driftloop-docker}" \
        --exec-root "$scratch/exec" --pidfile "$scratch/docker.pid" \
        --bridge=none --iptables=false --ip6tables=false >"$scratch/dockerd.log" 2>&1 &
    engine=$!
    for _ in $(seq 100); do
        docker info >/dev/null 2>&1 && break
        kill -0 "$engine" 2>/dev/null || { cat "$scratch/dockerd.log"; exit 1; }
        sleep 0.3
    done
    docker info >/dev/null
fi

if [ -z "${BASE_IMAGE:-}" ]; then
    export BASE_IMAGE=driftloop/base:bookworm-slim
    if ! docker image inspect "$BASE_IMAGE" >/dev/null 2>&1; then
        echo "Making the base image by debootstrap."
        debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm \
            "$scratch/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$scratch/debootstrap.log" 2>&1 \
            || { tail -20 "$scratch/debootstrap.log"; exit 1; }
        (cd "$scratch/base" && rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/{doc,info,locale,man})
        # A host that reaches its package index through a certificate authority of its own lends
        # it to this local base image, never to the published Dockerfile.
        cp /etc/ssl/certs/ca-certificates.crt "$scratch/base/etc/ssl/certs/ca-certificates.crt"
        tar -C "$scratch/base" -c . | docker import \
            --change "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" \
            --change "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt" \
            --change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
            - "$BASE_IMAGE" >/dev/null
        rm -rf "$scratch/base"
    fi
fi

for target in platform drift-sidecar; do
    echo "Building driftloop/$target."
    docker build --network=host --build-arg "BASE_IMAGE=$BASE_IMAGE" --target "$target" \
        -t "driftloop/$target:latest" -t "driftloop/$target:test" . >"$scratch/build.log" 2>&1 || { tail -40 "$scratch/build.log"; exit 1; }
done
# Layers of earlier builds are only worth their disk while they are recent.
[ -z "$engine" ] || docker image prune --force --filter until=72h >/dev/null
docker images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep driftloop/

"$@"
