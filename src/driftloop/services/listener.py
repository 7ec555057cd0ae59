"""Listener: a bound socket, and a server that says when it serves and ends with its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from driftloop_contracts.errors import InvalidInput

MAX_BODY = 32 << 20
"""Largest request body any of our servers takes, in bytes."""
RENEWAL_SECONDS = 60.0
"""Between two looks at a certificate's files: who renews them does so weeks before their end."""

log = logging.getLogger("driftloop.listener")


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise InvalidInput when the port is taken."""
    # asyncio turns Nagle's delay (40 ms a request) off only where the protocol is named.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
        return listener
    except OSError as error:
        listener.close()
        allowed = "a free port of this machine, or 0 for any"
        raise InvalidInput("the port", host, allowed, port) from error


class Server(uvicorn.Server):
    """Uvicorn that prints its ready line and leaves signal handling to ``main``."""

    def __init__(self, config: uvicorn.Config, renew: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._renew = renew
        self._renewal: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again after an orderly end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then print the line that a parent waits for."""
        await super().startup(sockets=sockets)
        assert sockets
        line = {"ready": True, "port": sockets[0].getsockname()[1]}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if self._renew is not None:
            self._renewal = asyncio.create_task(_again(self._renew))

    def stop(self, *_: object) -> None:
        """Finish what is in flight, then return from ``run``."""
        self.should_exit = True


def serving(app: Any, certificate: Path | None = None) -> Server:
    """Return the server of ``app``; what it serves is not logged request by request.

    ``certificate``: a folder with ``tls.crt`` and ``tls.key``, read again while it serves; None:
    plain HTTP. Raises InvalidInput for one that cannot be read.
    """
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    if certificate is None:
        return Server(config)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load = partial(context.load_cert_chain, certificate / "tls.crt", certificate / "tls.key")
    try:
        load()
    except OSError as error:
        allowed = "tls.crt and its tls.key, in PEM"
        raise InvalidInput("the certificate", str(certificate), allowed, str(error)) from error
    config.load()
    config.ssl = context
    return Server(config, load)


async def _again(load: Callable[[], None]) -> None:
    """Read a certificate again and again; new connections get the newest whole one."""
    while True:
        await asyncio.sleep(RENEWAL_SECONDS)
        try:
            load()
        except OSError as error:
            log.warning("The certificate stays as it was read before: %s", error)


def await_parents_end(then: Callable[[], None]) -> None:
    """Call ``then`` from a thread when standard input closes: the parent is gone."""

    def watch() -> None:
        # Not through sys.stdin: its lock would be held when the interpreter shuts down.
        while os.read(0, 4096):
            pass
        then()

    threading.Thread(target=watch, daemon=True).start()


def read_line() -> str:
    """Return the next line of standard input, byte by byte so that nothing more is taken."""
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()
