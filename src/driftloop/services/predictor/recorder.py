"""Recorder: hands inference records to the sidecar without ever holding up a prediction.

A request only puts its record into a bounded queue (waiting.py: what finds no room is dropped and
counted, and the weight of the next records says so). One thread hands over what waits, the
records of many requests in one event, four times a second or whenever many rows wait, so that
neither this process nor the sidecar pays an HTTP exchange for every row.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence

import pyarrow as pa

from driftloop.services.predictor.delivery import Delivery, Outcome
from driftloop.services.predictor.record import Origin, Record, to_stream
from driftloop.services.predictor.waiting import Bounds, Waiting
from driftloop_contracts import event_types, inference_arrow
from driftloop_contracts.cloudevent import CloudEvent

log = logging.getLogger(__name__)

INTERVAL = 0.25
"""Seconds that a record waits at most before it is on its way."""
EVENT_ROWS = 2000
"""Rows in one event at most, unless one request has more; so many waiting do not wait longer."""


class Recorder:
    """Sends the records of one predictor by ``delivery`` (None counts them as sent).

    ``seen`` is called, outside of any request, with the records of each event.
    """

    def __init__(
        self,
        delivery: Delivery | None,
        source: str,
        origin: Origin,
        bounds: Bounds | None = None,
        *,
        interval: float = INTERVAL,
        seen: Callable[[Sequence[Record]], None] = lambda _: None,
    ) -> None:
        self._delivery, self._source, self._origin = delivery, source, origin
        self._seen = seen
        self._waiting = Waiting(bounds or Bounds())
        self._counts, self._lock = Counter[str](), threading.Lock()
        # A container that starts again in its pod counts from 0 again, under the same source.
        self._run = uuid.uuid4().hex[:12]
        self._interval, self._hurry = interval, threading.Event()
        if delivery is not None:
            threading.Thread(target=self._work, daemon=True, name="recorder").start()

    def next_seq(self, rows: int) -> int:
        """Count ``rows`` as served and return the sequence number of the first."""
        with self._lock:
            first = self._counts["rows"]
            self._counts["rows"] += rows
        return first

    def put(self, record: Record) -> None:
        """Queue the record, or drop and count it; returns at once either way."""
        if self._delivery is None:
            self._count("sent_rows", len(record))
        elif not self._waiting.put(record):
            self._count("dropped_rows", len(record))
        elif len(self._waiting) >= EVENT_ROWS and not self._hurry.is_set():
            self._hurry.set()

    def status(self) -> dict[str, int]:
        """Return the rows served, handed over, dropped for want of room, and refused or unanswered.

        A row that was not answered may have been taken nonetheless.
        """
        names = ("rows", "sent_rows", "dropped_rows", "failed_rows")
        with self._lock:
            return {name: self._counts[name] for name in names}

    def flush(self) -> None:
        """Let what waits go now; returns at once."""
        self._hurry.set()

    def drain(self, seconds: float) -> None:
        """Wait until every record was handed over or counted, at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.flush()
            counts = self.status()
            if counts["rows"] == sum(counts.values()) - counts["rows"]:
                return
            time.sleep(0.01)

    def _work(self) -> None:
        while True:
            self._hurry.wait(self._interval)
            self._hurry.clear()
            while records := self._waiting.take(EVENT_ROWS):
                self._hand_over(records)
                self._tell(records)

    def _tell(self, records: Sequence[Record]) -> None:
        """Let the records be counted; what goes wrong there must not end their way."""
        try:
            self._seen(records)
        except Exception:
            log.exception("Records were not counted.")

    def _hand_over(self, records: Sequence[Record]) -> None:
        """Send the records in one event; what is unfit is halved until it stands alone."""
        outcome = self._send(records)
        if outcome is Outcome.UNFIT and len(records) > 1:
            half = len(records) // 2
            self._hand_over(records[:half])
            self._hand_over(records[half:])
            return
        name = "sent_rows" if outcome is Outcome.TAKEN else "failed_rows"
        self._count(name, sum(map(len, records)))

    def _send(self, records: Sequence[Record]) -> Outcome:
        assert self._delivery is not None
        try:
            body = to_stream(records, self._origin)
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            log.warning("A record cannot be written: %s", error)
            return Outcome.UNFIT
        return self._delivery.send(self._headers(records), body)

    def _headers(self, records: Sequence[Record]) -> dict[str, str]:
        first, rows = records[0], sum(map(len, records))
        event_id = f"{self._run}/{first.first_seq}+{rows}"
        event = CloudEvent(event_id, self._source, event_types.INFERENCE, first.event_time, {})
        return event.to_headers(inference_arrow.CONTENT_TYPE)

    def _count(self, name: str, rows: int) -> None:
        with self._lock:
            self._counts[name] += rows
