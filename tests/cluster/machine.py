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
from api_server import HERE, free_port
from installation import PLATFORM, SIDECAR, Installation
from process import Process
from waiting import eventually

NODE = HERE / "node.sh"


class Machine(Installation):
    """This machine's node, with MinIO, Redis and the stand-ins beside it."""

    def __init__(self, folder: Path, host: str) -> None:
        self.host, self.logs = host, folder / "logs"
        self.logs.mkdir()
        self._stack = ExitStack()
        self._password = secrets.token_hex(8)
        self.redis = f"redis://:{self._password}@{host}:{free_port(host)}"
        secret = {
            "AWS_ENDPOINT_URL": f"http://{host}:{free_port(host)}",
            "AWS_ACCESS_KEY_ID": secrets.token_hex(8),
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
            "DRIFTLOOP_ONLINE_STORE": self.redis,
        }
        kfp = f"http://{host}:{free_port(host)}"
        super().__init__(folder, folder / "admin.conf", secret, kfp, "s3://driftloop")

    def start(self, name: str, command: list[str], **environ: str) -> Process:
        process = Process(command, self.environ | environ, self.logs / f"{name}.log")
        self._stack.callback(_ended, process)
        return process

    def stop_all(self) -> None:
        self._stack.close()

    def start_others(self) -> None:
        """Start MinIO, Redis and the stand-ins of KServe's controller and KFP's API server."""
        self.bring_store_back()
        client, name = self.store("").client, self.bucket.removeprefix("s3://")
        eventually(lambda: client.make_bucket(name) is None, "the object store")
        port = self.redis.rpartition(":")[2]
        redis = ["redis-server", "--port", port, "--bind", self.host, "--save", ""]
        self.start("redis", [*redis, "--requirepass", self._password])
        standins = HERE / "standins"
        self.must("apply", "-f", str(standins / "kserve.yaml"))
        kinds = subprocess.check_output([HERE / "cluster.sh", "crds"], text=True).strip()
        self.must("apply", "--server-side", "-f", kinds)
        self.start("kserve", [sys.executable, str(standins / "kserve_controller.py")])
        port = str(free_port(self.host))
        self.gateway = f"http://{self.host}:{port}"
        self.start("gateway", [sys.executable, str(standins / "gateway.py"), self.host, port])
        folder, port = str(self.folder / "kfp"), self.kfp.rpartition(":")[2]
        environ = {"KFP_HOST": self.host, "KFP_NAMESPACE": "kubeflow"}
        self.must("create", "namespace", "kubeflow")
        self.lend("kubeflow")
        self.start(
            "kfp", [sys.executable, str(standins / "kfp_server.py"), port, folder], **environ
        )

    def take_store_away(self) -> None:
        self._minio.kill()

    def bring_store_back(self) -> None:
        address = self.secret["AWS_ENDPOINT_URL"].removeprefix("http://")
        keys = {
            "MINIO_ROOT_USER": self.secret["AWS_ACCESS_KEY_ID"],
            "MINIO_ROOT_PASSWORD": self.secret["AWS_SECRET_ACCESS_KEY"],
        }
        command = [os.environ["DRIFTLOOP_MINIO"], "server", "--address", address]
        command += ["--console-address", "127.0.0.1:0", str(self.folder / "minio")]
        self._minio = self.start("minio", command, **keys)

    def load(self, *images: str) -> None:
        """Give the node these images of the Docker engine's."""
        archive = self.folder / "images.tar"
        subprocess.run(["docker", "save", "-o", archive, *images], check=True)
        subprocess.run([NODE, "load", self.folder, archive], check=True)
        archive.unlink()
        # Gigabytes still to be written would keep the first pods from being read.
        os.sync()

    def throttle(self, version: str, share: float) -> None:
        """Give the predictors of a bundle this share of a core (cgroup v1, as kubelet here)."""
        told = f"DRIFTLOOP_BUNDLE={version}".encode()
        command = ["pgrep", "-f", "^python -m driftloop.services.predictor"]
        for pid in subprocess.run(command, capture_output=True, text=True).stdout.split():
            process = Path("/proc") / pid
            if told in (process / "environ").read_bytes().split(b"\0"):
                (line,) = [
                    line
                    for line in (process / "cgroup").read_text().splitlines()
                    if "cpu" in line.split(":")[1].split(",")
                ]
                group = Path("/sys/fs/cgroup/cpu") / line.split(":")[2].lstrip("/")
                (group / "cpu.cfs_quota_us").write_text(str(int(share * 100_000)))

    def kill_a_sidecar(self) -> None:
        found = subprocess.run(["pgrep", "-f", "^python -m drift_sidecar"], capture_output=True)
        first, *others = found.stdout.split()
        assert others
        subprocess.run(["kill", "-KILL", first], check=True)


@contextmanager
def running(*tags: str) -> Iterator[Machine]:
    """Start a node with the images of these tags and what a cluster has; stop all in the end."""
    images = [f"{name}:{tag}" for name in (PLATFORM, SIDECAR) for tag in tags]
    if subprocess.run(["docker", "image", "inspect", *images], capture_output=True).returncode:
        pytest.skip("There are no images to load: run 'make test-node'.")
    folder = Path(tempfile.mkdtemp(prefix="driftloop-node-", dir="/var/tmp")) / "state"
    with _node(folder) as host:
        machine = Machine(folder, host)
        try:
            machine.load(*images)
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
