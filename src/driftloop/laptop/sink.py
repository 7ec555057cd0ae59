"""Sink: the controller's receiver on a loopback port, in a thread of this process."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from driftloop.services.controller.receiver import create_app
from driftloop_contracts.cloudevent import CloudEvent


@contextmanager
def listening(inbox: queue.Queue[CloudEvent]) -> Iterator[str]:
    """Serve the receiver while the block runs; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(inbox), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    # Started from a thread it must leave the signals of the command alone, and does.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
