"""Tokens: who bears one, as the API server's TokenReview says, remembered for a minute.

A token must be made for the audience 'driftloop': one for the API server itself is refused.

Source: Kubernetes, authentication.k8s.io/v1 TokenReview. A token is known here by its digest only.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from driftloop.adapters.kubernetes_objects import Objects
from driftloop.resources.pod import AUDIENCE
from driftloop.services.receiver.admission import Refused

KNOWN_SECONDS, UNKNOWN_SECONDS = 60.0, 10.0
"""How long a good and a bad answer are remembered."""
KEYS = 4096
LONGEST = 8192
"""Longest token looked at, in characters."""


class Tokens:
    """The usernames behind tokens."""

    def __init__(self, objects: Objects, clock: Callable[[], float]) -> None:
        self._objects, self._clock = objects, clock
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._lock = threading.Lock()

    def username(self, header: str) -> str:
        """Return the user of an Authorization header; raise Refused for none, Unavailable."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > LONGEST:
            raise _refused("Authorization must be 'Bearer TOKEN'.")
        digest = hashlib.sha256(token.encode()).hexdigest()
        with self._lock:
            found, until = self._known.get(digest, ("", 0.0))
        if self._clock() >= until:
            found = self._reviewed(token)
            self._remember(digest, found)
        if not found:
            raise _refused(f"The token is not valid for the audience '{AUDIENCE}'.")
        return found

    def _reviewed(self, token: str) -> str:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        status = self._objects.create("TokenReview", "", review).get("status", {})
        # An API server that knows no audiences would answer without them.
        good = status.get("authenticated") and AUDIENCE in status.get("audiences", ())
        return str(status["user"]["username"]) if good else ""

    def _remember(self, digest: str, username: str) -> None:
        until = self._clock() + (KNOWN_SECONDS if username else UNKNOWN_SECONDS)
        with self._lock:
            self._known[digest] = (username, until)
            self._known.move_to_end(digest)
            if len(self._known) > KEYS:
                self._known.popitem(last=False)


def _refused(sentence: str) -> Refused:
    return Refused(401, "token", sentence)
