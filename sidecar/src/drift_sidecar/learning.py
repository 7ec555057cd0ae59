"""Learning: what is known of the predictions, on disk, so that a kill unlearns nothing.

A window may be scored again after a kill, and must get the same verdict: so what was known
before the newest window is kept beside what is known after it.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from driftloop_contracts.drift import learned
from driftloop_contracts.drift.learned import Learned
from driftloop_contracts.errors import InvalidInput

log = logging.getLogger(__name__)

NOTHING = (0, Learned())
"""What is known before any window."""


class Learning:
    """The newest two states in the file ``path``, each with the end of its window in seconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._states = _load(path)

    def before(self, start: int) -> Learned:
        """Return what was known before the window that begins at ``start``."""
        known = [state for until, state in self._states if until <= start]
        return known[-1] if known else Learned()

    def keep(self, until: int, state: Learned) -> None:
        """Remember what is known after the window that ends at ``until``; raise OSError."""
        earlier = [(end, known) for end, known in self._states if end < until]
        if earlier and earlier[-1][1] == state and len(earlier) == len(self._states):
            return  # as most windows, which teach nothing any more
        self._states = [*earlier[-1:], (until, state)]
        told = [{"until": end, **known.to_data()} for end, known in self._states]
        written = self._path.with_suffix(".new")
        written.write_text(json.dumps(told))
        written.replace(self._path)


def _load(path: Path) -> list[tuple[int, Learned]]:
    if not path.exists():
        return [NOTHING]
    try:
        told = json.loads(path.read_bytes())
        return [(int(one["until"]), learned.from_data(one)) for one in told]
    except (InvalidInput, ValueError, TypeError, KeyError, AttributeError) as error:
        log.error("What was known of the predictions cannot be read, and is learnt anew: %s", error)
        return [NOTHING]
