"""Recorder: hands inference records to the sidecar without ever holding up a prediction.

A bounded queue and one thread. When the queue is full a batch is dropped and counted; when the
sidecar fails the batch is counted as failed. Both are visible, neither reaches a caller.
"""

from __future__ import annotations

import http.client
import logging
import queue
import threading
import time
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.inference import InferenceBatch

log = logging.getLogger(__name__)

MAX_WAITING = 256
"""Batches that wait for the sidecar at most."""
TIMEOUT = 10.0
"""Seconds the sidecar has to answer."""


@dataclass
class Counts:
    """Rows served, handed over, dropped for want of room, and refused or unanswered."""

    rows: int = 0
    sent_rows: int = 0
    dropped_rows: int = 0
    failed_rows: int = 0


class Recorder:
    """Sends batches of one predictor to ``url`` ('' counts them as sent and keeps nothing)."""

    def __init__(self, url: str, source: str, waiting: int = MAX_WAITING) -> None:
        self._url, self._source = url, source
        self._queue: queue.Queue[tuple[str, InferenceBatch]] = queue.Queue(maxsize=waiting)
        self._counts, self._lock = Counts(), threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        threading.Thread(target=self._work, daemon=True, name="recorder").start()

    def next_seq(self, rows: int) -> int:
        """Count ``rows`` as served and return the sequence number of the first."""
        with self._lock:
            first = self._counts.rows
            self._counts.rows += rows
        return first

    def put(self, request_id: str, batch: InferenceBatch) -> None:
        """Queue the batch, or drop and count it; returns at once either way."""
        try:
            self._queue.put_nowait((request_id, batch))
        except queue.Full:
            self._count("dropped_rows", len(batch))

    def status(self) -> dict[str, int]:
        """Return the counts."""
        with self._lock:
            return asdict(self._counts)

    def drain(self, seconds: float) -> None:
        """Wait until every batch was handed over or counted, at most ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            counts = self.status()
            if counts["rows"] == sum(counts.values()) - counts["rows"]:
                return
            time.sleep(0.01)

    def _work(self) -> None:
        while True:
            request_id, batch = self._queue.get()
            name = "sent_rows" if self._send(request_id, batch) else "failed_rows"
            self._count(name, len(batch))

    def _count(self, name: str, rows: int) -> None:
        with self._lock:
            setattr(self._counts, name, getattr(self._counts, name) + rows)

    def _send(self, request_id: str, batch: InferenceBatch) -> bool:
        if not self._url:
            return True
        try:
            event = CloudEvent(
                f"{request_id}/{batch.first_seq}",
                self._source,
                event_types.INFERENCE,
                batch.event_time,
                batch.to_data(),
            )
            status, text = self._post(*event.to_http())
        except (OSError, http.client.HTTPException, ValueError) as error:
            log.warning("The sidecar did not take a batch: %s", error)
            self._connection = None
            return False
        if status >= 300:
            log.warning("The sidecar refused a batch: %s %s", status, text[:200])
        return status < 300

    def _post(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        if self._connection is None:
            address = urlsplit(self._url).netloc
            self._connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
        self._connection.request("POST", "/", body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()
