"""A MinIO server on loopback, with keys of its own and over TLS where there is a certificate."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driftloop_contracts.object_store import open_store

BUCKET = "driftloop-test"


def free_address() -> str:
    """Return a loopback address that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"127.0.0.1:{free.getsockname()[1]}"


def fresh_keys() -> dict[str, str]:
    """Return keys of a server's own, as its environment has them."""
    return {"MINIO_ROOT_USER": secrets.token_hex(8), "MINIO_ROOT_PASSWORD": secrets.token_hex(16)}


def start(
    folder: Path, address: str, keys: dict[str, str], certificates: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a server of what lies in ``folder``, or skip the test where there is none."""
    binary = os.environ.get("DRIFTLOOP_MINIO", "")
    if not Path(binary).is_file():
        pytest.skip("DRIFTLOOP_MINIO names no MinIO server: run 'make test-s3'.")
    command = [binary, "server", "--address", address, "--console-address", "127.0.0.1:0"]
    command += ["--certs-dir", str(certificates)] if certificates else []
    return subprocess.Popen(
        [*command, str(folder)],
        env=keys | {"HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def client_environ(address: str, keys: dict[str, str], scheme: str = "http") -> dict[str, str]:
    """Return what a client's environment needs."""
    return {
        "AWS_ENDPOINT_URL": f"{scheme}://{address}",
        "AWS_ACCESS_KEY_ID": keys["MINIO_ROOT_USER"],
        "AWS_SECRET_ACCESS_KEY": keys["MINIO_ROOT_PASSWORD"],
    }


@contextmanager
def serving(folder: Path, certificates: Path | None = None) -> Iterator[dict[str, str]]:
    """Start a server; yield what a client's environment needs."""
    address, keys = free_address(), fresh_keys()
    server = start(folder, address, keys, certificates)
    try:
        yield client_environ(address, keys, "https" if certificates else "http")
    finally:
        server.terminate()
        server.wait(timeout=20)


def create_bucket(environ: dict[str, str], bucket: str = BUCKET) -> None:
    """Make a bucket as soon as the server answers."""
    store = open_store(f"s3://{bucket}", environ)
    deadline = time.monotonic() + 60
    while True:
        try:
            store.client.make_bucket(bucket)  # type: ignore[attr-defined]
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
