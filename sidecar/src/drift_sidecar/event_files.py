"""Event files: the outbox's events on disk, one file each, in the order they were put."""

from __future__ import annotations

import json
from pathlib import Path

from drift_sidecar.seen import digest
from driftloop_contracts import cloudevent
from driftloop_contracts.cloudevent import CloudEvent

MAX_REFUSED = 100
"""Refused events kept for somebody to look at."""


class EventFiles:
    """The files in ``folder``; what the sink refused lies in its folder ``refused``."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._refused = folder, folder / "refused"
        self._refused.mkdir(parents=True, exist_ok=True)
        self.waiting = sorted(folder.glob("*.json"))
        last = max((int(path.name[:12]) for path in self.waiting), default=-1)
        self._next = last + 1

    def put(self, event: CloudEvent) -> None:
        """Keep an event, unless it waits already; raise OSError."""
        name = digest(event.source, event.id).hex()
        if any(path.stem[13:] == name for path in self.waiting):
            return
        path = self._folder / f"{self._next:012d}-{name}.json"
        written = path.with_suffix(".new")
        written.write_bytes(event.to_json())
        written.replace(path)
        self._next += 1
        self.waiting.append(path)

    def read(self, path: Path) -> CloudEvent:
        """Return the event in a file."""
        return cloudevent.from_dict(json.loads(path.read_bytes()))

    def remove(self, path: Path) -> None:
        """Forget an event."""
        self.waiting.remove(path)
        path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> None:
        """Keep an event that the sink refused where it is not tried again."""
        self.waiting.remove(path)
        path.replace(self._refused / path.name)
        for old in sorted(self._refused.glob("*.json"))[:-MAX_REFUSED]:
            old.unlink()
