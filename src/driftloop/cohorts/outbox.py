"""Outbox: events of a loop's jobs that lie in the store and were not told yet.

A job may run where it has no token of the loop's namespace, such as a step of a pipeline, or be
killed before anybody answered. So events lie in the store first: those of the cohort job and of
the business review. Whoever may speak for the loop sends them, in order, and notes what was taken
or refused in ``cohorts/<loop>/told/``. What is sent twice is taken once, by its id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import chain, takewhile
from pathlib import PurePosixPath

from driftloop.cohorts import grid, steps
from driftloop.resources import loop_event
from driftloop_contracts import cloudevent
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import ObjectStore

OLDEST = timedelta(days=13)
"""Age from which on an event is not sent: the receiver refuses it a day later."""
REVIEWS = ("event.json", "returned.json")
"""Files of a business review that hold events."""


class Outbox:
    """What waits of one loop's events in ``store``."""

    def __init__(self, store: ObjectStore, loop_name: str) -> None:
        self._store, self._loop = store, loop_name
        self._told = f"cohorts/{loop_name}/told/"

    def waiting(self, now: datetime) -> list[CloudEvent]:
        """Return the events that are to be sent, in order of time."""
        told = {PurePosixPath(key).name for key in self._store.list(self._told)}
        oldest = f"{now - OLDEST:{grid.NAME}}"
        cohorts = self._store.list(steps.scored_prefix(self._loop))
        recent = [key for key in cohorts if PurePosixPath(key).stem >= oldest]
        reviews = self._store.list(f"reviews/{self._loop}/")
        decided = [key for key in reviews if PurePosixPath(key).name in REVIEWS]
        judged = self._store.list(steps.shadow_prefix(self._loop))

        def is_untold(event: CloudEvent) -> bool:
            return self._name(event) not in told

        # The newest down to one that was told: they were told in order.
        in_order = (takewhile(is_untold, self._events(keys)) for keys in (recent, decided))
        # Of judgements there are few, and a bundle that waited is judged after a newer one was.
        found = [*chain(*in_order), *filter(is_untold, self._events(judged))]
        # A review may be of a day that is not over: its event waits until then.
        fresh = [event for event in found if now - OLDEST <= event.time <= now]
        return sorted(fresh, key=lambda event: (event.time, event.id))

    def send(self, now: datetime, deliver: Callable[[CloudEvent], str]) -> int:
        """Send what waits and return how many there were; ``deliver`` returns the answer.

        What it raises ends this; what is left waits for the next time.
        """
        waiting = self.waiting(now)
        for event in waiting:
            answer = deliver(event)
            self._store.put(f"{self._told}{self._name(event)}", answer.encode())
        return len(waiting)

    def _events(self, keys: list[str]) -> Iterator[CloudEvent]:
        """Yield the events that these files hold, the newest first."""
        for key in reversed(keys):
            content = json.loads(self._store.get(key))
            if content:
                yield cloudevent.from_dict(content)

    def _name(self, event: CloudEvent) -> str:
        return loop_event.name(self._loop, event.source, event.id)
