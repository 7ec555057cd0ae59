"""Outbox: events on their way to the sink, on disk, in order, a bounded number of them."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import urllib3

from drift_sidecar.event_files import EventFiles
from driftloop_contracts.cloudevent import CloudEvent

log = logging.getLogger(__name__)

SIZE = 1000
"""Events that wait at most; a window makes two."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 15.0
"""Seconds between tries; each pause is up to twice the one before."""
PATIENCE = urllib3.Timeout(connect=2, read=10)
"""Seconds the sink has to accept a connection and to answer."""
AGAIN = (401, 404, 408, 425, 429)
"""Refusals that a later try may not meet, beside every 5xx.

401: the token was just replaced; 404: while a sink's pods change, something between may answer.
"""


class Outbox:
    """Delivers events from a thread of its own; without an address it keeps and delivers nothing.

    ``folder``: where events wait, also for the next process.
    """

    def __init__(
        self,
        address: str,
        folder: Path,
        pause: Callable[[float], object] = time.sleep,
        token_file: str = "",
        rng: random.Random | None = None,
    ) -> None:
        self.address, self._pause, self._token_file = address, pause, token_file
        self._rng = rng or random.Random()
        self.refused, self.dropped = 0, 0
        self._files = EventFiles(folder)
        self._changed = threading.Condition()
        self._pool = urllib3.PoolManager(retries=False, timeout=PATIENCE)
        if address:
            threading.Thread(target=self._deliver_all, name="outbox", daemon=True).start()

    def put(self, event: CloudEvent) -> None:
        """Keep an event on disk until the sink took it; the oldest gives way to a full outbox.

        Raise OSError when the disk does not take it.
        """
        if not self.address:
            return
        with self._changed:
            self._files.put(event)
            while len(self._files.waiting) > SIZE:
                log.error("The outbox is full: %s is given up.", self._files.waiting[0].name)
                self._files.remove(self._files.waiting[0])
                self.dropped += 1
            self._changed.notify_all()

    def drain(self, timeout: float) -> bool:
        """Wait until no event waits; return whether that came true within ``timeout`` seconds."""
        if not self.address:
            return True
        with self._changed:
            return self._changed.wait_for(lambda: not self._files.waiting, timeout)

    def status(self) -> dict[str, int]:
        """Return how many events wait, and how many were refused or given up."""
        with self._changed:
            lost = self.refused + self.dropped
            return {"outbox": len(self._files.waiting), "undelivered": lost}

    def _deliver_all(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._files.waiting))
                path = self._files.waiting[0]
            try:
                is_done = self._deliver(path)
            except Exception:  # the thread must outlive one file that cannot be read or removed
                log.exception("The event %s could not be delivered.", path.name)
                is_done = False
            if is_done:
                pause = FIRST_PAUSE
                continue
            self._pause(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _deliver(self, path: Path) -> bool:
        """Try the event once; return whether its file is done with."""
        try:
            event = self._files.read(path)
        except FileNotFoundError:  # a full outbox gave it up
            return True
        status, reason = self._post(event)
        is_refused = 400 <= status < 500 and status not in AGAIN
        if reason:
            log.warning("Event %s did not reach the sink: %s.", event.id, reason)
        if reason and not is_refused:
            return False
        with self._changed:
            if path in self._files.waiting:
                (self._files.set_aside if is_refused else self._files.remove)(path)
                self.refused += is_refused
            self._changed.notify_all()
        return True

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
