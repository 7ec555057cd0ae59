"""An API server of cluster.sh, as tests talk to it."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config

from driftloop.adapters.kubernetes_objects import Objects

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent


class Cluster:
    """An API server on loopback; ``environ`` is what a client of it needs."""

    def __init__(self, folder: Path, kubeconfig: Path | None = None) -> None:
        self.folder = folder
        path = subprocess.run([HERE / "cluster.sh", "path"], capture_output=True, text=True)
        own = Path(path.stdout.strip()) / "kubectl"
        self.binary = str(own) if own.exists() else "kubectl"
        self.environ = {"KUBECONFIG": str(kubeconfig or folder / "admin.conf")}
        configuration = client.Configuration()
        config.load_kube_config(self.environ["KUBECONFIG"], client_configuration=configuration)
        self.api = client.ApiClient(configuration)
        self.objects = Objects(self.api)

    def kubectl(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ["PATH"], **self.environ}
        command = [self.binary, "--cache-dir", str(self.folder / "kubectl"), *arguments]
        return subprocess.run(command, input=text, env=environ, capture_output=True, text=True)

    def apply(self, content: Any, namespace: str = "default") -> subprocess.CompletedProcess[str]:
        return self.kubectl("apply", "-n", namespace, "-f", "-", text=yaml.safe_dump(content))

    def stop(self) -> None:
        subprocess.run([HERE / "cluster.sh", "stop", self.folder], check=True)

    def go_on(self) -> None:
        subprocess.run([HERE / "cluster.sh", "go-on", self.folder], check=True)

    def crash(self) -> None:
        subprocess.run([HERE / "cluster.sh", "crash", self.folder], check=True)


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as free:
        return int(free.getsockname()[1])
