"""Outbox: events on their way to the sink, in order, a bounded number of them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import urllib3

from driftloop_contracts.cloudevent import CloudEvent

log = logging.getLogger(__name__)

SIZE = 1000
"""Events that wait at most; a window makes two."""
TRIES = 120
"""Deliveries tried, over ten minutes, before an event is given up and counted."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between tries; each pause is twice the one before."""
PATIENCE = urllib3.Timeout(connect=2, read=10)
"""Seconds the sink has to accept a connection and to answer."""
AGAIN = (401, 404, 408, 425, 429)
"""Refusals that a later try may not meet, beside every 5xx.

401: the token was just replaced; 404: while a sink's pods change, something between may answer.
"""


class Outbox:
    """Delivers events from a thread of its own; without an address it delivers nothing."""

    def __init__(
        self,
        address: str,
        pause: Callable[[float], object] = time.sleep,
        token_file: str = "",
    ) -> None:
        self.address, self._pause, self._token_file = address, pause, token_file
        self.undelivered = 0
        self._waiting: deque[CloudEvent] = deque()
        self._changed = threading.Condition()
        self._pool = urllib3.PoolManager(retries=False, timeout=PATIENCE)
        if address:
            threading.Thread(target=self._deliver_all, name="outbox", daemon=True).start()

    def put(self, event: CloudEvent) -> None:
        """Take an event for delivery; beyond SIZE the oldest is given up and counted."""
        if not self.address:
            return
        with self._changed:
            if len(self._waiting) >= SIZE:
                self._give_up(self._waiting.popleft(), "the outbox is full")
            self._waiting.append(event)
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait until every event was delivered or given up; return whether that came true."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout)

    def _deliver_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                event = self._waiting[0]
            reason = self._deliver(event)
            with self._changed:
                # A full outbox may have given it up meanwhile.
                if self._waiting and self._waiting[0] is event:
                    self._waiting.popleft()
                    if reason:
                        self._give_up(event, reason)
                self._changed.notify_all()

    def _deliver(self, event: CloudEvent) -> str:
        """Return why the event could not be delivered, or nothing."""
        reason, pause = "", FIRST_PAUSE
        for attempt in range(TRIES):
            if attempt:
                self._pause(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            status, reason = self._post(event)
            if not reason or (400 <= status < 500 and status not in AGAIN):
                break
        return reason

    def _post(self, event: CloudEvent) -> tuple[int, str]:
        headers, body = event.to_http()
        try:
            headers |= self._authorization()
            answer = self._pool.request("POST", self.address, body=body, headers=headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return 0, type(error).__name__
        return answer.status, "" if answer.status < 300 else f"it answered {answer.status}"

    def _authorization(self) -> dict[str, str]:
        """Return the header with the token as it is now: its file changes before it expires."""
        if not self._token_file:
            return {}
        return {"authorization": f"Bearer {Path(self._token_file).read_text().strip()}"}

    def _give_up(self, event: CloudEvent, reason: str) -> None:
        self.undelivered += 1
        log.error("Event %s did not reach the sink: %s.", event.id, reason)
