"""``python -m driftloop.services.receiver``: the receiver on Kubernetes."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from driftloop import clock
from driftloop.adapters.kubernetes_objects import Objects
from driftloop.services import listener
from driftloop.services.receiver.admission import JOBS, SIDECARS
from driftloop.services.receiver.app import Receiver, create_app
from driftloop_contracts.errors import DriftloopError, InvalidInput


def main() -> int:
    """Serve until told to stop; return 2 when the settings are refused."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        port = os.environ.get("DRIFTLOOP_PORT", "8080")
        if not (port.isdecimal() and int(port) < 65536):
            raise InvalidInput("DRIFTLOOP_PORT", "the environment", "from 0 to 65535", port)
        bound = listener.bind(os.environ.get("DRIFTLOOP_HOST", "0.0.0.0"), int(port))
        certificate = os.environ.get("DRIFTLOOP_TLS", "")
        app = create_app(Receiver(Objects(), _senders(os.environ), clock.now))
        server = listener.serving(app, Path(certificate) if certificate else None)
    except DriftloopError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    server.run(sockets=[bound])
    return 0


def _senders(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the accounts of predictors and of jobs, and what each speaks for."""
    predictors = environ.get("DRIFTLOOP_SENDERS", "driftloop-predictor").split()
    jobs = environ.get("DRIFTLOOP_JOBS_ACCOUNT", "driftloop-jobs").split()
    found: dict[str, tuple[str, ...]] = dict.fromkeys(predictors, SIDECARS)
    for name in jobs:
        found[name] = (*found.get(name, ()), *JOBS)
    return found


if __name__ == "__main__":
    sys.exit(main())
