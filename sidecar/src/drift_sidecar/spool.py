"""Spool: accepted batches on disk until the inference log has them and their window is scored.

A batch is acknowledged once it is in the page cache, so it survives the process, not the
machine: nothing is fsynced. Every segment belongs to one window.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from drift_sidecar import checkpoint, segment
from drift_sidecar.segment import LOGGED, OPEN, SEALED, Entry, Segment

log = logging.getLogger(__name__)

SEGMENT_ROWS = 50_000
"""Rows after which a segment is sealed."""
SEGMENT_SECONDS = 60.0
"""Age at which a segment is sealed."""
LIMIT = 1 << 30
"""Bytes that the segments take at most."""
MAX_DIGESTS = 200_000
"""Deliveries remembered of deleted segments, in each of two files."""


class Spool:
    """The segments in ``folder``, at most ``limit`` bytes; safe to share between threads."""

    def __init__(
        self, folder: Path, limit: int = LIMIT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.limit, self._clock = folder, limit, clock
        self.sealed = threading.Condition(threading.RLock())
        """Notified when a segment waits for the inference log."""
        self.state = checkpoint.load(folder / "checkpoint.json")
        self._segments: dict[int, Segment] = {}
        self._open: dict[int, Segment] = {}
        self._bytes = 0

    def recover(self) -> Iterator[tuple[Segment, Entry]]:
        """Yield what an earlier process left, in the order of the segments, then own it.

        The torn end of a segment, which nobody was told is safe, is cut off.
        """
        found = sorted(map(segment.of_path, self.folder.glob("*-*.*")), key=lambda s: s.number)
        for one in found:
            self.state.next_number = max(self.state.next_number, one.number + 1)
            if one.number in self.state.deleting:
                one.path.unlink()
                continue
            yield from self._recovered(one)
        with self.sealed:
            self._tidy()

    def deliveries(self) -> Iterator[bytes]:
        """Yield the digests of deliveries whose segments are deleted, oldest first."""
        for name in ("ids.old", "ids"):
            path = self.folder / name
            content = path.read_bytes() if path.exists() else b""
            yield from (content[i : i + 16] for i in range(0, len(content) // 16 * 16, 16))

    def append(self, start: int, entry: Entry) -> None:
        """Write one batch of the window at ``start``; raise OSError and keep nothing of it."""
        pieces = segment.frame(entry)
        size = sum(map(len, pieces))
        with self.sealed:
            if not self._make_room(size):
                self._drop_unwritten(entry)
                return
            one = self._open.get(start) or self._begin(start)
            one.append(pieces)
            self._bytes += size
            self._account(one, entry)
            if one.rows >= SEGMENT_ROWS:
                self._seal(one)

    def seal(self, until: int | None = None) -> None:
        """Seal the segments of windows that start before ``until``, or all."""
        with self.sealed:
            for one in [s for s in self._open.values() if until is None or s.start < until]:
                self._seal(one)

    def seal_aged(self) -> None:
        """Seal the segments that are old enough."""
        with self.sealed:
            oldest = self._clock() - SEGMENT_SECONDS
            for one in [s for s in self._open.values() if s.opened <= oldest]:
                self._seal(one)

    def waiting(self, until: int | None = None) -> list[Segment]:
        """Return what is sealed and not logged, of windows before ``until``, oldest first."""
        with self.sealed:
            found = [s for s in self._segments.values() if s.state == SEALED]
            return [s for s in found if until is None or s.start < until]

    def claim(self, one: Segment) -> bool:
        """Keep a segment from being dropped while it is uploaded; False when it is gone."""
        with self.sealed:
            one.busy = one.state == SEALED and one.number in self._segments
            return one.busy

    def release(self, one: Segment, is_logged: bool) -> None:
        """Give a claimed segment back; once logged and scored it is deleted."""
        with self.sealed:
            one.busy = False
            if is_logged:
                one.become(LOGGED)
                self._tidy()

    def give_up(self, one: Segment, reason: str) -> None:
        """Delete a segment and count its rows."""
        with self.sealed:
            self._delete([one], reason)

    def close(self, until: int) -> None:
        """Remember, before any is scored, that windows which start before ``until`` are over."""
        with self.sealed:
            if until > self.state.closed_until:
                self.state.closed_until = until
                self.state.save()

    def score(self, until: int) -> None:
        """Remember that windows which start before ``until`` have their events in the outbox."""
        with self.sealed:
            if until > self.state.scored_until:
                self.state.scored_until = until
                self.state.save()
                self._tidy()

    def status(self) -> dict[str, Any]:
        """Return what waits, in rows and bytes, and what was lost."""
        with self.sealed:
            rows = sum(s.rows for s in self._segments.values() if s.state != LOGGED)
            return {
                "waiting": rows,
                "spool_bytes": self._bytes,
                "dropped": dict(self.state.dropped),
                "missing": self.state.losses.missing,
            }

    def _recovered(self, one: Segment) -> Iterator[tuple[Segment, Entry]]:
        kept = 0
        for end, payload in segment.payloads(one.path):
            entry, kept = segment.entry(payload), end
            self._account(one, entry)
            yield one, entry
        if kept < one.size and one.state == OPEN:
            with one.path.open("rb+") as file:
                file.truncate(kept)
        one.size = kept
        with self.sealed:
            self._bytes += kept
            self._segments[one.number] = one
            if one.state == OPEN:
                self._open[one.start] = one
                self._seal(one)

    def _account(self, one: Segment, entry: Entry) -> None:
        one.rows += entry.rows.num_rows
        one.digests += entry.keys
        self.state.losses.take(entry.pod_uid, entry.runs)

    def _begin(self, start: int) -> Segment:
        one = Segment(self.folder, self.state.next_number, start, opened=self._clock())
        self.state.next_number += 1
        self._segments[one.number] = self._open[start] = one
        return one

    def _seal(self, one: Segment) -> None:
        self._open.pop(one.start)
        if not one.rows:  # its first frame was torn, or the disk refused it
            self._segments.pop(one.number)
            one.path.unlink(missing_ok=True)
            return
        one.become(SEALED)
        self.sealed.notify_all()

    def _tidy(self) -> None:
        until = self.state.scored_until
        done = [s for s in self._segments.values() if s.state == LOGGED and s.start < until]
        self._delete(done)

    def _make_room(self, size: int) -> bool:
        """Drop the oldest data, those first that the log has; return whether ``size`` fits."""
        while self._bytes + size > self.limit:
            idle = [s for s in self._segments.values() if not s.busy and s.rows]
            if not idle:
                return False
            oldest = min(idle, key=lambda s: (s.state != LOGGED, s.number))
            self._delete([oldest], "" if oldest.state == LOGGED else "spool_full")
        return True

    def _drop_unwritten(self, entry: Entry) -> None:
        self.state.losses.take(entry.pod_uid, entry.runs)
        self.state.dropped["spool_full"] += entry.rows.num_rows
        self.state.save()

    def _delete(self, segments: list[Segment], reason: str = "") -> None:
        if not segments:
            return
        self._remember([d for one in segments for d in one.digests])
        if reason:
            self.state.dropped[reason] += sum(one.rows for one in segments)
            log.warning("The spool gave up %s rows: %s.", sum(s.rows for s in segments), reason)
        self.state.deleting = [one.number for one in segments]
        self.state.save()
        for one in segments:
            one.path.unlink(missing_ok=True)
            if self._segments.pop(one.number, None):
                self._bytes -= one.size
            if self._open.get(one.start) is one:
                self._open.pop(one.start)

    def _remember(self, digests: list[bytes]) -> None:
        path = self.folder / "ids"
        if path.exists() and path.stat().st_size >= 16 * MAX_DIGESTS:
            path.replace(self.folder / "ids.old")
        with path.open("ab") as file:
            file.truncate(file.tell() // 16 * 16)
            file.write(b"".join(digests))
