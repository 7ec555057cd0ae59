"""This machine as a cluster: one node, and beside it MinIO, Redis and the two stand-ins."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from api_server import HERE, ROOT, Cluster, free_port
from process import Process
from waiting import eventually

from driftloop_contracts.object_store import ObjectStore, open_store

NODE = HERE / "node.sh"
SYSTEM = "driftloop-system"
BUCKET = "s3://driftloop"
IMAGES = ("driftloop/platform", "driftloop/drift-sidecar")


class Machine(Cluster):
    """A cluster whose pods run; ``secret``: the keys that they need."""

    def __init__(self, folder: Path, host: str) -> None:
        super().__init__(folder)
        self.host, self.logs = host, folder / "logs"
        self.logs.mkdir()
        self._stack = ExitStack()
        self._password = secrets.token_hex(8)
        self.redis = f"redis://:{self._password}@{host}:{free_port(host)}"
        self.secret = {
            "AWS_ENDPOINT_URL": f"http://{host}:{free_port(host)}",
            "AWS_ACCESS_KEY_ID": secrets.token_hex(8),
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
            "DRIFTLOOP_ONLINE_STORE": self.redis,
        }
        self.kfp = f"http://{host}:{free_port(host)}"

    def start(self, name: str, command: list[str], **environ: str) -> Process:
        process = Process(command, self.environ | environ, self.logs / f"{name}.log")
        self._stack.callback(_ended, process)
        return process

    def stop_all(self) -> None:
        self._stack.close()

    def start_minio(self) -> None:
        data = str(self.folder / "minio")
        address = self.secret["AWS_ENDPOINT_URL"].removeprefix("http://")
        keys = {
            "MINIO_ROOT_USER": self.secret["AWS_ACCESS_KEY_ID"],
            "MINIO_ROOT_PASSWORD": self.secret["AWS_SECRET_ACCESS_KEY"],
        }
        command = [os.environ["DRIFTLOOP_MINIO"], "server", "--address", address]
        command += ["--console-address", "127.0.0.1:0", data]
        self.minio = self.start("minio", command, **keys)

    def store(self, namespace: str) -> ObjectStore:
        """Return the part of the bucket that the namespace's loops have."""
        return open_store(f"{BUCKET}/{namespace}", self.secret)

    def start_others(self) -> None:
        """Start MinIO, Redis and the stand-ins of KServe's controller and KFP's API server."""
        self.start_minio()
        client, name = self.store("").client, BUCKET.removeprefix("s3://")
        eventually(lambda: client.make_bucket(name) is None, "the object store")
        port = self.redis.rpartition(":")[2]
        redis = ["redis-server", "--port", port, "--bind", self.host, "--save", ""]
        self.start("redis", [*redis, "--requirepass", self._password])
        standins = HERE / "standins"
        self.must("apply", "-f", str(standins / "kserve.yaml"))
        self.start("kserve", [sys.executable, str(standins / "kserve_controller.py")])
        folder, port = str(self.folder / "kfp"), self.kfp.rpartition(":")[2]
        environ = {"KFP_HOST": self.host, "KFP_NAMESPACE": "kubeflow"}
        self.must("create", "namespace", "kubeflow")
        self.lend("kubeflow")
        self.start(
            "kfp", [sys.executable, str(standins / "kfp_server.py"), port, folder], **environ
        )

    def install(self, root: Path = ROOT, tag: str = "test", **more: str) -> None:
        """Apply a checkout's manifests with this machine's settings and ``more``; await them."""
        overlay = self.folder / f"overlay-{tag}"
        overlay.mkdir()
        settings = {
            "DRIFTLOOP_IMAGE": f"{IMAGES[0]}:{tag}",
            "DRIFTLOOP_SIDECAR_IMAGE": f"{IMAGES[1]}:{tag}",
            "DRIFTLOOP_STORE": BUCKET,
            "DRIFTLOOP_KFP": self.kfp,
            "DRIFTLOOP_TURN_SECONDS": "3",
            "DRIFTLOOP_SERVING_ENV": "DRIFTLOOP_EVENT_TIME=1 OMP_NUM_THREADS=1",
        } | more
        generator = {
            "name": "driftloop-settings",
            "namespace": SYSTEM,
            "behavior": "merge",
            "literals": [f"{name}={value}" for name, value in settings.items()],
        }
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(root / "manifests" / "base", overlay)],
            "images": [{"name": IMAGES[0], "newTag": tag}],
            "configMapGenerator": [generator],
        }
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(content))
        self.must("apply", "-k", str(overlay))
        self.lend(SYSTEM)
        for name in ("driftloop-controller", "driftloop-receiver"):
            self.must("rollout", "status", "-n", SYSTEM, f"deploy/{name}", "--timeout=120s")

    def welcome(self, namespace: str, root: Path = ROOT) -> None:
        """Make a namespace for loops, as confined as one can be."""
        self.must("create", "namespace", namespace)
        self.must("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        self.must("apply", "-n", namespace, "-k", str(root / "manifests" / "namespace"))
        self.lend(namespace)

    def kill_pod(self, name: str) -> None:
        """End a pod of Driftloop's own at once, without a word."""
        label = f"app.kubernetes.io/name={name}"
        self.must("delete", "pod", "-n", SYSTEM, "-l", label, "--force", "--grace-period=0")

    def lend(self, namespace: str) -> None:
        """Put the keys into a namespace."""
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": self.secret}
        secret["metadata"] = {"name": "driftloop-credentials"}
        done = self.apply(secret, namespace)
        assert done.returncode == 0, done.stderr

    def must(self, *arguments: str) -> str:
        done = self.kubectl(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def running(*tags: str) -> Iterator[Machine]:
    """Start a node with the images of these tags and what a cluster has; stop all in the end."""
    images = [f"{name}:{tag}" for name in IMAGES for tag in tags]
    if subprocess.run(["docker", "image", "inspect", *images], capture_output=True).returncode:
        pytest.skip("There are no images to load: run 'make test-node'.")
    folder = Path(tempfile.mkdtemp(prefix="driftloop-node-", dir="/var/tmp")) / "state"
    with _node(folder) as host:
        archive = folder / "images.tar"
        subprocess.run(["docker", "save", "-o", archive, *images], check=True)
        subprocess.run([NODE, "load", folder, archive], check=True)
        archive.unlink()
        machine = Machine(folder, host)
        try:
            machine.start_others()
            yield machine
        finally:
            machine.stop_all()
            keep = os.environ.get("DRIFTLOOP_NODE_LOGS")
            if keep:
                shutil.copytree(machine.logs, keep, dirs_exist_ok=True)
    shutil.rmtree(folder.parent)


@contextmanager
def _node(folder: Path) -> Iterator[str]:
    """Start API server and node; yield the address that pods reach this machine by."""
    host = subprocess.run([NODE, "host"], capture_output=True, text=True, check=True).stdout.strip()
    environ = os.environ | {"CLUSTER_HOST": host}
    with ExitStack() as stack:
        stack.callback(subprocess.run, [HERE / "cluster.sh", "down", folder], env=environ)
        subprocess.run([HERE / "cluster.sh", "up", folder], check=True, env=environ)
        stack.callback(subprocess.run, [NODE, "down", folder])
        subprocess.run([NODE, "up", folder], check=True)
        yield host


def _ended(process: Process) -> None:
    if process.process.poll() is None:
        process.kill()
        time.sleep(0.1)
