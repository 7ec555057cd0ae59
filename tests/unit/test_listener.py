"""A server over TLS, whose certificate is renewed while it serves."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from driftloop.services import listener
from driftloop_contracts.errors import InvalidInput


def certificate(folder: Path, name: str) -> Path:
    """Write a certificate of its own for 127.0.0.1 into ``folder``."""
    folder.mkdir(exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", folder / "tls.key", "-out", folder / "tls.crt", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@contextmanager
def serving(folder: Path | None) -> Iterator[int]:
    """Serve on loopback; yield the port."""
    bound = listener.bind("127.0.0.1", 0)
    app = Starlette(routes=[Route("/", lambda _: PlainTextResponse("served"))])
    server = listener.serving(app, folder)
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[bound]),))
    thread.start()
    try:
        yield bound.getsockname()[1]
    finally:
        server.stop()
        thread.join(timeout=20)


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "tls.crt"))


def get(port: int, trusted: Path) -> str:
    return httpx.get(f"https://127.0.0.1:{port}/", verify=trusting(trusted)).text


def test_it_is_reached_by_who_trusts_its_certificate_and_by_no_other(tmp_path: Path) -> None:
    own, other = certificate(tmp_path / "own", "own"), certificate(tmp_path / "other", "other")
    with serving(own) as port:
        assert get(port, own) == "served"
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            get(port, other)


def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "RENEWAL_SECONDS", 0.05)
    used, new = certificate(tmp_path / "used", "old"), certificate(tmp_path / "new", "new")
    old = Path(shutil.copytree(used, tmp_path / "old"))
    with serving(used) as port:
        (used / "tls.crt").write_text("half a certif")
        threading.Event().wait(0.3)
        assert get(port, old) == "served"
        for name in ("tls.key", "tls.crt"):
            shutil.copy(new / name, used / name)
        threading.Event().wait(0.5)
        assert get(port, new) == "served"


@pytest.mark.parametrize("content", [None, "nothing"])
def test_what_is_no_certificate_is_refused_at_the_start(
    tmp_path: Path, content: str | None
) -> None:
    if content:
        (tmp_path / "tls.crt").write_text(content)
        (tmp_path / "tls.key").write_text(content)
    with pytest.raises(InvalidInput, match="the certificate"):
        listener.serving(Starlette(), tmp_path)
