"""The process: bundle in, server up, and an orderly end."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from drift_sidecar import manners, reference, spool_folder
from drift_sidecar.app import create_app
from drift_sidecar.inference_log import InferenceLog
from drift_sidecar.intake.intake import Intake
from drift_sidecar.monitor import Monitor
from drift_sidecar.outbox import Outbox
from drift_sidecar.settings import Settings
from drift_sidecar.spool import Spool
from drift_sidecar.uploader import Uploader
from drift_sidecar.windows import Windows
from driftloop_contracts.errors import InvalidInput, StoreUnavailable
from driftloop_contracts.object_store import open_store

log = logging.getLogger(__name__)

TICK = 1.0
"""Longest time, in seconds, between two looks at what is to be done."""
EXPIRY = 1.0
"""Seconds between looks for requests whose response does not come."""
MAX_CONNECTIONS = 512
"""Connections at once; a request on one more gets 503. What bodies take is bounded in bodies.py."""


class Server(uvicorn.Server):
    """Says when it serves, and leaves signals to this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn's own handler would end the process by the signal again."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start serving, then print the one line a parent waits for."""
        await super().startup(sockets)
        port = sockets[0].getsockname()[1] if sockets else self.config.port
        sys.stdout.write(json.dumps({"ready": True, "port": port}) + "\n")
        sys.stdout.flush()

    def stop(self, *_: object) -> None:
        """Finish the requests that are running, then return from ``run``."""
        self.should_exit = True


def create_monitor(settings: Settings) -> Monitor:
    """Return the monitor for the settings' bundle; raise BundleRefused or StoreUnavailable."""
    store = open_store(settings.store)
    with tempfile.TemporaryDirectory(prefix="drift-sidecar-") as temporary:
        # A folder of its own: what another version left in the scratch folder is not in it.
        folder = Path(settings.scratch or temporary) / settings.bundle
        found = reference.fetch(store, settings.loop, settings.bundle, folder, settings.trusted)
    folder = spool_folder.hold(settings)
    spool = Spool(folder / settings.loop / settings.bundle, settings.spool_bytes)
    uploader = Uploader(spool, InferenceLog(store, settings.loop, settings.bundle))
    outbox = Outbox(settings.sink, folder / ".outbox", token_file=settings.token_file)
    for left in spool_folder.left(folder, settings, store):
        start(left.run)
    return Monitor(found, Windows(found), spool, uploader, outbox, settings.pod)


def create_intake(monitor: Monitor, settings: Settings) -> Intake:
    """Return the intake; its records' pod differs at each start, as their numbers begin anew."""
    pod = f"{settings.pod[:100] or 'logger'}-{secrets.token_hex(4)}"
    return Intake(monitor, settings.intake, pod)


def serve(settings: Settings) -> None:
    """Serve until told to stop, then write what the inference log still lacks."""
    monitor = create_monitor(settings)
    intake = create_intake(monitor, settings)
    listener = _listen(settings)
    config = uvicorn.Config(
        create_app(monitor, intake),
        log_config=None,
        access_log=False,
        lifespan="off",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=10,
    )
    server = Server(config)
    signal.signal(signal.SIGTERM, server.stop)
    signal.signal(signal.SIGINT, server.stop)
    if settings.supervised:
        start(_await_end_of_input, server)
    start(monitor.uploader.run)
    start(_tend, monitor)
    start(_expire, intake)
    manners.settle()
    server.run(sockets=[listener])
    intake.finish()
    monitor.finish()


def await_version() -> str:
    """Return the bundle named by the first line of standard input, ``{"bundle": version}``.

    An empty line means that the parent is gone.
    """
    line = sys.stdin.readline()
    try:
        return str(json.loads(line)["bundle"]) if line.strip() else ""
    except (ValueError, TypeError, KeyError) as error:
        allowed = "JSON with the key bundle"
        raise InvalidInput("the first line", "standard input", allowed, line) from error


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's delay (40 ms a request) off only where the protocol is named.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        address = f"{settings.host}:{settings.port}"
        raise InvalidInput(
            "DRIFTLOOP_HOST:DRIFTLOOP_PORT", "the environment", "free to listen on", address
        ) from error
    return listener


def start(work: Callable[..., object], *arguments: object) -> None:
    """Run ``work`` beside everything else; it does not hold up the process's end."""
    threading.Thread(target=work, args=arguments, daemon=True).start()


def _await_end_of_input(server: Server) -> None:
    # Not through sys.stdin: its lock would be held when the interpreter shuts down.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    server.stop()


def _tend(monitor: Monitor) -> None:
    """Do the monitor's work as it comes up; what a failing store leaves is tried again."""
    while True:
        monitor.work.wait(TICK)
        try:
            monitor.tend()
        except StoreUnavailable as error:
            log.warning("%s Trying again.", error)
        except Exception:  # the thread must outlive any one window; its records are written
            log.exception("A window could not be scored.")


def _expire(intake: Intake) -> None:
    """Let requests go on without a response that does not come."""
    pause = threading.Event()
    while not pause.wait(EXPIRY):
        try:
            intake.tend()
        except Exception:  # the thread must outlive any one request
            log.exception("What waits for its other half could not be looked through.")
