"""Delivery: one event to the receiver with the job's token, until it is taken or refused."""

from __future__ import annotations

import http.client
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput, RunFailed

TIMEOUT = 45.0
"""Seconds for one answer: the receiver itself waits for the API server."""
PATIENCE = 120.0
"""Seconds after which no further try begins; the next job sends again."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 20.0
REFUSED = (400, 413)
"""Answers to what will be refused for ever."""

log = logging.getLogger("driftloop.cohort")


class Delivery:
    """Posts to ``url``; ``token``: the file with the token, which is read anew for each event."""

    def __init__(
        self, url: str, token: Path, pause: Callable[[float], object] = time.sleep
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise InvalidInput("DRIFTLOOP_SINK", "the environment", "an http(s) address", url)
        self._url, self._token, self._pause = url, token, pause

    def send(self, event: CloudEvent) -> str:
        """Return 'taken', or 'refused' and why; raise RunFailed where neither came of it."""
        waited, pause = 0.0, FIRST_PAUSE
        while True:
            status, said = self._post(event)
            if 200 <= status < 300:
                return "taken"
            if status in REFUSED:
                log.warning("The receiver refused %s: %s", event.id, said)
                return f"refused: {said}"
            if 400 <= status < 500 and status != 429:
                raise RunFailed(f"The receiver answered {status} to {event.id}: {said}")
            if waited + pause > PATIENCE:
                raise RunFailed(f"The receiver did not take {event.id}: {status or ''} {said}")
            self._pause(pause)
            waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE)

    def _post(self, event: CloudEvent) -> tuple[int, str]:
        """Return the answer's status and text, or 0 and why there was none."""
        headers, body = event.to_http()
        headers |= {"authorization": f"Bearer {self._bearer()}"}
        try:
            request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - checked above
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                return answer.status, ""
        except urllib.error.HTTPError as error:
            return error.code, error.read(1000).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error) or type(error).__name__

    def _bearer(self) -> str:
        try:
            return self._token.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            allowed, got = "a file with a token", str(self._token)
            raise InvalidInput("DRIFTLOOP_TOKEN_FILE", "the environment", allowed, got) from None
