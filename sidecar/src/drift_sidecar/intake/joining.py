"""Joining: requests and their responses, paired and handed to the monitor in one order.

A request whose response does not come is taken without a prediction: inputs alone can be
monitored. A response whose request does not come is counted and let go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from drift_sidecar.intake import kserve, pairs
from drift_sidecar.intake.counts import Counts
from drift_sidecar.intake.logged_request import LoggedRequest, LoggedResponse
from drift_sidecar.intake.pairs import Key, Pairs
from drift_sidecar.monitor import Busy, Monitor
from drift_sidecar.seen import Seen
from driftloop_contracts.errors import DriftloopError, InvalidInput, StoreUnavailable

ENTRIES, SIZE = 20_000, 32 << 20
"""Most halves that wait for the other one, and most bytes that they take."""
REMEMBERED = 100_000
"""Events remembered so that a repeated one is not taken twice."""


class Joining:
    """What waits between the events and the monitor; safe to share between threads.

    Batches are numbered as they come, so that a gap in the log's ``seq`` is what was let go.
    """

    def __init__(self, monitor: Monitor, seconds: float, clock: Callable[[], float]) -> None:
        self.counts = Counts()
        self._monitor, self._clock = monitor, clock
        self._pairs: Pairs[LoggedRequest, LoggedResponse] = Pairs(ENTRIES, SIZE, seconds)
        self._seen = Seen(REMEMBERED)
        self._next_seq = 0
        self._lock = threading.Lock()

    def request(self, key: Key, request: LoggedRequest) -> bool:
        """Keep a request until its response comes; return False for a repeated one."""
        with self._lock:
            if not self._is_new(key, kserve.REQUEST):
                return False
            self.counts.requests += 1
            request = replace(request, first_seq=self._next_seq)
            self._next_seq += request.rows
            response = self._pairs.put_request(key, request, request.size, self._clock())
            if response is not None:
                self._join(key, request, response)
            self._release()
        return True

    def response(self, key: Key, response: LoggedResponse) -> bool:
        """Keep a response until its request comes; return False for a repeated one.

        Raise InvalidInput when it has not one prediction an instance.
        """
        with self._lock:
            if not self._is_new(key, kserve.RESPONSE):
                return False
            self.counts.responses += 1
            rows = len(response.predictions)
            request = self._pairs.put_response(key, response, response.size, self._clock())
            expected = rows if request is None else self._join(key, request, response)
            self._release()
        if rows != expected:
            allowed = f"one for each of the request's {expected} instances"
            raise InvalidInput("predictions", "an inference response", allowed, rows)
        return True

    def alone(self, key: Key, request: LoggedRequest) -> bool:
        """Hand over a request that never has a response; return False for a repeated one."""
        with self._lock:
            request = replace(request, first_seq=self._next_seq)
            is_new = self._monitor.take_records(*key, request.parts())
            self.counts.requests += is_new
            self.counts.duplicate_events += not is_new
            self._next_seq += request.rows if is_new else 0
        return is_new

    def tend(self) -> None:
        """Hand over or let go what has waited too long."""
        with self._lock:
            self._release()

    def settle(self, until: datetime) -> None:
        """Hand over requests from before ``until`` that still wait: their windows close."""
        with self._lock:
            for key in self._pairs.keys():  # noqa: SIM118  # a list: it shrinks meanwhile
                request = self._pairs.get(key).request
                if request is not None and request.time < until:
                    self._let_go(key, "watermark")

    def finish(self) -> None:
        """Hand over every request that still waits, without its prediction."""
        with self._lock:
            for key in self._pairs.keys():  # noqa: SIM118  # a list: it shrinks meanwhile
                self._let_go(key, "ended")

    def reject(self, reason: str) -> None:
        """Count an HTTP request that was refused."""
        with self._lock:
            self.counts.refused[reason] += 1

    def status(self) -> dict[str, Any]:
        """Return the counts and how much waits for its other half."""
        with self._lock:
            waiting = {"halves": len(self._pairs), "halves_bytes": self._pairs.size}
            return self.counts.to_dict() | waiting

    def _is_new(self, key: Key, kind: str) -> bool:
        is_new = self._seen.add(kind + key[0], key[1])
        self.counts.duplicate_events += not is_new
        return is_new

    def _join(self, key: Key, request: LoggedRequest, response: LoggedResponse) -> int:
        """Hand a complete pair over and return how many rows it has; it stays when that fails."""
        fits = request.rows == len(response.predictions)
        self._monitor.take_records(*key, request.parts(response if fits else None))
        self._pairs.remove(key)
        self.counts.paired += fits
        self.counts.unanswered["mismatched"] += not fits
        return request.rows

    def _release(self) -> None:
        while due := self._pairs.due(self._clock()):
            if not self._let_go(*due):
                return

    def _let_go(self, key: Key, reason: str) -> bool:
        """Hand a request over without its response, or drop a response; False when it stays."""
        pair = self._pairs.get(key)
        try:
            if pair.request is None:
                why = "evicted" if reason == pairs.EVICTED else "no_request"
                self._drop(key, why, len(pair.response.predictions) if pair.response else 0)
            elif pair.response is not None:
                self._join(key, pair.request, pair.response)
            else:
                self._monitor.take_records(*key, pair.request.parts())
                self._pairs.remove(key)
                self.counts.unanswered[reason] += 1
        except (Busy, StoreUnavailable):
            if reason in (pairs.EXPIRED, "watermark"):
                return False
            self._drop(key, "busy", pair.request.rows if pair.request else 0)
        except DriftloopError:
            self._drop(key, "refused", pair.request.rows if pair.request else 0)
        return True

    def _drop(self, key: Key, reason: str, rows: int) -> None:
        self._pairs.remove(key)
        self.counts.dropped[reason] += rows
