"""Delivery: one event to the sidecar, tried again within bounds until it answers.

Every try has the event's id, so that a sidecar that took it before its answer was lost takes it
once.
"""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from urllib.parse import urlsplit

log = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds that the sidecar has for one answer."""
PATIENCE = 20.0
"""Seconds after which no further try begins."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
"""Seconds between tries: none before the second, then each twice the one before."""


class Outcome(StrEnum):
    """What became of an event; ``UNFIT``: its content was refused, in part or as a whole."""

    TAKEN = "taken"
    UNFIT = "unfit"
    FAILED = "failed"


class Delivery:
    """Posts to ``url`` on one connection; not safe to share between threads."""

    def __init__(
        self,
        url: str,
        pause: Callable[[float], object] = time.sleep,
        *,
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
    ) -> None:
        self._address, self._pause = urlsplit(url).netloc, pause
        self._timeout, self._patience = timeout, patience
        self._connection: http.client.HTTPConnection | None = None

    def send(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Post until the sidecar took or refused it; a 5xx and silence are tried again."""
        end, pause = time.monotonic() + self._patience, 0.0
        while True:
            status, said = self._post(headers, body)
            if 0 < status < 500:
                return _outcome(status, said)
            if time.monotonic() + pause > end:
                log.warning("The sidecar did not take records: %s %s", status or "", said)
                return Outcome.FAILED
            # The first failure is mostly a connection that was idle for too long.
            self._pause(pause)
            pause = min(max(2 * pause, FIRST_PAUSE), LONGEST_PAUSE)

    def _post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Return the answer's status and text, or 0 and why there was none."""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._address, timeout=self._timeout)
            self._connection.request("POST", "/", body, dict(headers))
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")[:200]
        except (OSError, http.client.HTTPException) as error:
            if self._connection is not None:
                self._connection.close()
            self._connection = None
            return 0, str(error) or type(error).__name__


def _outcome(status: int, said: str) -> Outcome:
    if status < 300:
        return Outcome.TAKEN
    log.warning("The sidecar refused records: %s %s", status, said)
    return Outcome.UNFIT if status in (400, 413) else Outcome.FAILED
