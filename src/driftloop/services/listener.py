"""Listener: a bound socket, and a server that says when it serves and ends with its parent."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from driftloop_contracts.errors import InvalidInput

MAX_BODY = 32 << 20
"""Largest request body any of our servers takes, in bytes."""


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

    def stop(self, *_: object) -> None:
        """Finish what is in flight, then return from ``run``."""
        self.should_exit = True


def serving(app: Any) -> Server:
    """Return the server of ``app``; what it serves is not logged request by request."""
    return Server(uvicorn.Config(app, log_level="warning", access_log=False))


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
