"""``python -m driftloop.services.cohort``: one loop's cohort job, from its environment."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from driftloop import clock
from driftloop.services.cohort.delivery import Delivery
from driftloop_contracts.errors import DriftloopError, InvalidInput

log = logging.getLogger("driftloop.cohort")


def main() -> int:
    """Score, then send all that waits; return 2 for bad input and 1 where something failed.

    What waits already is sent also where nothing can be scored: one does not hold up the other.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    codes = [_tried(step) for step in (_score, _send)]
    return max(codes)


def _score() -> None:
    from driftloop.cohorts import steps

    loop, store = (_required(os.environ, n) for n in ("DRIFTLOOP_USECASE", "DRIFTLOOP_STORE"))
    until = os.environ.get("DRIFTLOOP_UNTIL", "")
    found = steps.score(loop, store, until, os.environ.get("DRIFTLOOP_ORDER", ""))
    sys.stdout.write(json.dumps(found) + "\n")


def _send() -> None:
    from driftloop.cohorts.outbox import Outbox
    from driftloop_contracts.object_store import open_store

    names = "DRIFTLOOP_USECASE", "DRIFTLOOP_STORE", "DRIFTLOOP_SINK", "DRIFTLOOP_TOKEN_FILE"
    loop, store, sink, token = (_required(os.environ, name) for name in names)
    delivery = Delivery(sink, Path(token))
    sent = Outbox(open_store(store), loop).send(clock.now(), delivery.send)
    sys.stdout.write(json.dumps({"loop": loop, "sent": sent}) + "\n")


def _tried(step: Callable[[], None]) -> int:
    try:
        step()
    except InvalidInput as error:
        return _say(error, 2)
    except DriftloopError as error:
        return _say(error, 1)
    except Exception:
        log.exception("The job has an error of its own.")
        return 1
    return 0


def _say(error: DriftloopError, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidInput(name, "the environment", "set", "nothing")
    return value


if __name__ == "__main__":
    sys.exit(main())
