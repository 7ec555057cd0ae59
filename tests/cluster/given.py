"""A cluster that somebody else runs, with the real KServe and Kubeflow Pipelines.

``make test-cluster KUBECONFIG=... STANDINS=no`` installs Driftloop there. The environment says
where things are: DRIFTLOOP_STORE and the AWS_* keys (an S3 that pods and this machine reach by
one address), DRIFTLOOP_ONLINE_STORE, DRIFTLOOP_KFP (as pods reach it), DRIFTLOOP_IMAGE and
DRIFTLOOP_SIDECAR_IMAGE with their tags, and KFP_NAMESPACE where pipelines run (kubeflow). GATEWAY,
the address of KServe's gateway, has canaries tried as well.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from installation import Installation

NEEDED = (
    "KUBECONFIG",
    "DRIFTLOOP_STORE",
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "DRIFTLOOP_ONLINE_STORE",
    "DRIFTLOOP_KFP",
    "DRIFTLOOP_IMAGE",
    "DRIFTLOOP_SIDECAR_IMAGE",
)
KEYS = ("DRIFTLOOP_ONLINE_STORE", "AWS_REGION")


class Given(Installation):
    """The cluster; calls go through its API server. What is not ours there is never killed."""

    def __init__(self, folder: Path, proxy: str) -> None:
        environ = os.environ
        secret = {k: v for k, v in environ.items() if k.startswith("AWS_") or k in KEYS}
        super().__init__(
            folder,
            Path(environ["KUBECONFIG"]),
            secret,
            environ["DRIFTLOOP_KFP"],
            environ["DRIFTLOOP_STORE"],
        )
        self._proxy = proxy
        self.gateway = environ.get("GATEWAY", "")

    def images(self, tag: str) -> tuple[str, str]:
        return os.environ["DRIFTLOOP_IMAGE"], os.environ["DRIFTLOOP_SIDECAR_IMAGE"]

    def service(self, namespace: str, name: str, port: str = "80") -> str:
        return f"{self._proxy}/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy"

    def pipelines(self) -> str:
        inside = re.fullmatch(r"http://([\w-]+)\.([\w-]+)\.svc[\w.]*:(\d+)/?", self.kfp)
        return self.service(inside[2], inside[1], inside[3]) if inside else self.kfp

    def crash(self) -> None:
        """Leave an API server alone that is not ours."""


@contextmanager
def reached(namespace: str) -> Iterator[Given]:
    """Yield the cluster of the environment; the loops' namespace goes in the end."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        pytest.fail(f"STANDINS=no needs {', '.join(missing)} in the environment.")
    with tempfile.TemporaryDirectory() as folder:
        kubectl = Installation(Path(folder), Path(os.environ["KUBECONFIG"]), {}, "", "").binary
        command = [kubectl, "proxy", "--port=0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
            try:
                assert proxy.stdout is not None
                said = proxy.stdout.readline()
                given = Given(Path(folder), f"http://{said.rpartition(' ')[2].strip()}")
                given.lend(os.environ.get("KFP_NAMESPACE", "kubeflow"))
                yield given
                given.must("delete", "namespace", namespace, "--wait=false")
            finally:
                proxy.terminate()
