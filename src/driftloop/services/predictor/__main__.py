"""``python -m driftloop.services.predictor``."""

from __future__ import annotations

import os
import sys

from driftloop.services import listener
from driftloop.services.predictor.settings import from_env
from driftloop_contracts.errors import DriftloopError


def main() -> int:
    """Serve one bundle; return 2 when the settings or the bundle are refused."""
    try:
        settings = from_env(os.environ)
        # Parsed at KServe's import: arguments that are not its own would end the process.
        sys.argv = sys.argv[:1]
        from driftloop.services.predictor import server

        server.quiet()
        if not settings.bundle:
            server.warm()
            line = listener.read_line()
            if not line:
                return 0  # the parent ended while this one stood by
            settings = settings.told(line)
        server.serve(settings)
    except DriftloopError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
