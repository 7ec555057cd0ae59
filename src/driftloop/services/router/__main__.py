"""``python -m driftloop.services.router``."""

from __future__ import annotations

import os
import signal
import sys

from driftloop.services import listener
from driftloop.services.router.app import create_app
from driftloop_contracts.errors import DriftloopError


def main() -> int:
    """Serve until told to stop; return 2 when the port is taken."""
    environ = os.environ
    try:
        port = int(environ.get("DRIFTLOOP_PORT", "0"))
        bound = listener.bind(environ.get("DRIFTLOOP_HOST", "127.0.0.1"), port)
        entity = environ.get("DRIFTLOOP_ENTITY", "")
        app = create_app(environ["DRIFTLOOP_ADMIN_TOKEN"], entity)
    except (DriftloopError, KeyError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    server = listener.serving(app)
    signal.signal(signal.SIGTERM, server.stop)
    if environ.get("DRIFTLOOP_SUPERVISED") == "1":
        listener.await_parents_end(server.stop)
    server.run(sockets=[bound])
    return 0


if __name__ == "__main__":
    sys.exit(main())
