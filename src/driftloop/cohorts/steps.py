"""The cohort job's step: score what became mature, judge the bundle in the shadow, keep both.

    cohorts/<loop>/scored/<end>.json  io.driftloop.cohort.scored.v1; {} where nothing was
    cohorts/<loop>/shadow/<version>-<since>-<step>.json  io.driftloop.shadow.judged.v1
    cohorts/<loop>/told/  see outbox.py

The newest file tells where the last job ended. Cohorts lie on a grid, so a job that was killed,
that comes late or runs twice writes the same names.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from driftloop import clock, usecase
from driftloop.cohorts import events, grid, shadow
from driftloop.cohorts import order as orders
from driftloop.cohorts.order import Order
from driftloop.cohorts.scored import Cohorts
from driftloop.inference_log import InferenceLog
from driftloop.usecase import UseCase
from driftloop_contracts import signature, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.object_store import ObjectStore, open_store

NOTHING = b"{}"
"""What is kept of a cohort without a mature record."""


@dataclass(frozen=True)
class Job:
    """One loop's job on ``store``; nothing known after ``end`` is used."""

    case: UseCase
    store: ObjectStore
    order: Order
    end: datetime
    trusted: signature.Trusted = signature.ANYONE

    def run(self) -> list[CloudEvent]:
        """Score and judge what is due, keep it in the store and return what there is to tell."""
        return [*self._score(), *self._judge()]

    def _score(self) -> list[CloudEvent]:
        loop = self.case.loop
        cohorts, found = Cohorts(loop, self.store, self.trusted), []
        for start, end in self._due():
            data = cohorts.between(start, end, self.order.champion)
            event = events.scored(loop.name, end, data) if data else None
            key = f"{scored_prefix(loop.name)}{end:{grid.NAME}}.json"
            self.store.put(key, event.to_json() if event else NOTHING)
            found += [event] if event else []
        return found

    def _due(self) -> list[tuple[datetime, datetime]]:
        """Return the cohorts that nobody scored; before the first record there is none."""
        loop = self.case.loop
        since = _last(self.store, loop.name) or InferenceLog.of(self.store, loop).oldest_day()
        return grid.cells(since, self.end, loop.spec.cohorts.every) if since else []

    def _judge(self) -> list[CloudEvent]:
        """Return the verdict on the bundle in the shadow, where this step has none yet."""
        rollout, name = self.order.rollout, self.case.loop.name
        if rollout is None:
            return []
        since = f"{rollout.since.astimezone(UTC):%Y-%m-%dT%H%M%S}"
        key = f"{shadow_prefix(name)}{rollout.version}-{since}-{rollout.step:04d}.json"
        if key in self.store.list(shadow_prefix(name)):
            return []
        found = shadow.judged(self.case, self.store, self.order, self.end, self.trusted)
        if found is None:
            return []
        event = events.judged(name, found, rollout, self.end)
        self.store.put(key, event.to_json())
        return [event]


def score(loop: str, store: str, until: str, order: str) -> dict[str, Any]:
    """Do a loop's cohort job and return what it found; the body of the component.

    ``store``: '' for DRIFTLOOP_STORE; ``until``: nothing known later is used, '' for now, less the
    delay of ``spec.cohorts``; ``order``: as cohorts/order.py writes it, '' for an empty one.
    """
    case, work = usecase.find(loop), orders.parse(order)
    if work.spec:
        case = case.declared(work.spec)
    opened = open_store(store or os.environ["DRIFTLOOP_STORE"])
    policy, where = case.loop.spec.cohorts, "the pipeline's parameters"
    known = times.from_text(until, "until", where) if until else clock.now() - policy.delay
    end = grid.newest(known, policy.every)
    found = Job(case, opened, work, end, signature.trusted(os.environ)).run()
    return {
        "loop": case.loop.name,
        "until": times.to_text(end),
        "events": [{"type": event.type, "id": event.id} for event in found],
    }


def scored_prefix(loop_name: str) -> str:
    """Return where a loop's cohorts lie."""
    return f"cohorts/{loop_name}/scored/"


def shadow_prefix(loop_name: str) -> str:
    """Return where the verdicts on bundles in the shadow lie."""
    return f"cohorts/{loop_name}/shadow/"


def _last(store: ObjectStore, loop_name: str) -> datetime | None:
    """Return where the last job ended, None where there was none."""
    names = [PurePosixPath(key).stem for key in store.list(scored_prefix(loop_name))]
    return datetime.strptime(names[-1], grid.NAME).replace(tzinfo=UTC) if names else None
