"""``python -m drift_sidecar [replay|baseline ...]``: exit code 0, or 2 for what it cannot use."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime

from drift_sidecar import manners
from drift_sidecar import settings as configuration
from driftloop_contracts.errors import BundleRefused, DriftloopError, InvalidInput


def main() -> int:
    """Run the sidecar and return its exit code."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    # Among the stock dependencies Transformers would report that PyTorch is not there.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    try:
        return _run()
    except DriftloopError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, BundleRefused | InvalidInput) else 1


def _run() -> int:
    if sys.argv[1:2] == ["replay"]:
        from drift_sidecar import replay

        return replay.main(sys.argv[2:], os.environ)
    if sys.argv[1:2] == ["baseline"]:
        from drift_sidecar import baseline_command

        return baseline_command.main(sys.argv[2:], os.environ, datetime.now(UTC))
    settings = configuration.from_env(os.environ)
    manners.keep()
    # After the settings: a wrong one is said at once, not after seconds of imports.
    from drift_sidecar import process

    if not settings.bundle:
        version = process.await_version()
        if not version:
            return 0
        settings = settings.watching(version)
    process.serve(settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
