"""Checkpoint: what the spool must remember of segments that it deletes.

Written whole and renamed over the one before, and always before a file is deleted: so a process
killed between any two steps counts nothing twice and forgets nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from drift_sidecar.loss import Losses


@dataclass
class Checkpoint:
    """State of one spool.

    ``next_number``: of the next segment; ``closed_until``: no row goes into a window before it;
    ``scored_until``: windows that start before it have their events in the outbox;
    ``deleting``: numbers of segments that are accounted for and may still lie there;
    ``dropped``: acknowledged rows that were given up, by reason.
    """

    path: Path
    next_number: int = 0
    closed_until: int = 0
    scored_until: int = 0
    deleting: list[int] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    losses: Losses = field(default_factory=Losses)

    def save(self) -> None:
        """Replace the file at once; raise OSError."""
        told = {
            "next_number": self.next_number,
            "closed_until": self.closed_until,
            "scored_until": self.scored_until,
            "deleting": self.deleting,
            "dropped": self.dropped,
            "losses": self.losses.to_data(),
        }
        written = self.path.with_suffix(".new")
        written.write_text(json.dumps(told))
        written.replace(self.path)


def load(path: Path) -> Checkpoint:
    """Return the checkpoint at ``path``, or a first one."""
    if not path.exists():
        return Checkpoint(path)
    told = json.loads(path.read_bytes())
    dropped, losses = Counter(told.pop("dropped")), Losses(told.pop("losses"))
    return Checkpoint(path, dropped=dropped, losses=losses, **told)
