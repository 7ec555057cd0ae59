"""The review's step: read the store, ask the cores, write the review beside its period's name.

    reviews/<loop>/<start of the newest complete period>/
        review.json      the accounts and the decision
        review.html      the same for people
        event.json       io.driftloop.review.decided.v1
        returned.json    io.driftloop.stage.returned.v1, where the loop is sent back

The same store and declaration give the same bytes under the same names, so a review that was
killed or asked for twice does no harm.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from driftloop import usecase
from driftloop.business import accounts, promise
from driftloop.business import review as core
from driftloop.business.accounts import Period
from driftloop.business.gathered import Gathering
from driftloop.business.promise import Promise
from driftloop.business.review import Decision
from driftloop.inference_log import InferenceLog
from driftloop.loop import LearningLoop
from driftloop.report import review_page
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import ObjectStore, open_store

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Reviewed:
    """A review as it lies in the store below ``prefix``; ``record``: of review.json."""

    prefix: str
    record: dict[str, Any]
    decision: Decision | None


def review(loop: str, store: str, until: str, spec: str) -> dict[str, Any]:
    """Review a loop and return its decision; the body of the component.

    ``store``: '' for DRIFTLOOP_STORE; ``until``: nothing known later is used, '' for the end of the
    newest day in the log; ``spec``: the loop's as JSON where it is declared elsewhere, '' if not.
    """
    case = usecase.find(loop)
    if spec:
        case = case.declared(json.loads(spec))
    opened = open_store(store or os.environ["DRIFTLOOP_STORE"])
    end = times.from_text(until, "until", "the pipeline's parameters") if until else None
    found = written(case.loop, opened, end)
    return {"review": found.prefix, "decision": found.record["decision"], "to": found.record["to"]}


def written(loop: LearningLoop, store: ObjectStore, until: datetime | None = None) -> Reviewed:
    """Review ``loop`` on what lies in ``store``, write the review there and return it."""
    found = judged(loop, store, until)
    files = {"review.html": review_page.render(found.record).encode()}
    if found.decision is not None:
        files |= _events(loop, found.decision, found.record)
    # Last, so that whoever finds it finds the rest.
    files["review.json"] = _bytes(found.record)
    for name, content in files.items():
        store.put(f"{found.prefix}{name}", content)
    return found


def judged(loop: LearningLoop, store: ObjectStore, until: datetime | None = None) -> Reviewed:
    """Return the review of ``loop``; raise InvalidInput where nothing was served yet."""
    log = InferenceLog.of(store, loop)
    first, newest = log.oldest_day(), log.newest(until)
    if first is None or newest is None:
        raise InvalidInput("the inference log", store.uri, "one with served rows", "none")
    end = until or newest.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    gathering, spec = Gathering(store, loop, end), loop.spec
    anchor = _anchor(store, loop) or _first_served(gathering, first, end)
    if end - anchor <= spec.label_source.maturity:
        raise _nothing_mature(loop)
    found, promises = _periods(gathering, anchor)
    decision = core.review(found, promises, spec.objective, loop.spec.terms)
    last = decision.look.period if decision else found[-1]
    record = _record(loop, found, decision, {"anchor": anchor, "until": end})
    record["evidence"] = [*record["evidence"], *gathering.notes]
    return Reviewed(f"reviews/{loop.name}/{_name(last.start)}/", record, decision)


def _first_served(gathering: Gathering, first: datetime, end: datetime) -> datetime:
    """Return the first day on which the present objective was served."""
    day = first
    while day < end:
        if len(gathering.records(day, day + DAY)):
            return day
        day += DAY
    name = gathering.loop.spec.objective.name
    raise InvalidInput("the inference log", gathering.store.uri, f"rows served for {name}", "none")


def _periods(gathering: Gathering, anchor: datetime) -> tuple[list[Period], list[list[Promise]]]:
    spec = gathering.loop.spec
    known = gathering.until - spec.label_source.maturity
    found: list[Period] = []
    promises: list[list[Promise]] = []
    start, number = anchor, 0
    while start < gathering.until:
        end, number = start + spec.business.period, number + 1
        records = gathering.records(start, end)
        labelled = gathering.labelled(records, start, end) if len(records) else None
        if labelled is not None and len(labelled.rows):
            rows = labelled.rows
            entity = spec.gate.entity
            # A period's draws depend on its number alone, so that each review repeats them.
            rng = np.random.default_rng(number)
            spent = gathering.spent(records, start, end)
            (one,) = accounts.periods(
                rows,
                spec.objective,
                spec.business,
                rng,
                entity=entity,
                spent=spent,
                anchor=anchor,
                known=known,
            )
            coverage, reported = labelled.coverage, labelled.reported
            found.append(replace(one, coverage=coverage, reported=reported))
            said = promise.of_rows(rows, spec.business, rng, entity=entity) if one.complete else []
            promises.append(said)
        elif len(records) and end <= known:
            gathering.notes.append(f"Period {number} is not judged: no outcome of it is known.")
        start = end
    if not found:
        raise _nothing_mature(gathering.loop)
    return found, promises


def _nothing_mature(loop: LearningLoop) -> InvalidInput:
    allowed = "mature for at least one served row"
    return InvalidInput("outcomes", f"loop {loop.name}", allowed, "none")


def _anchor(store: ObjectStore, loop: LearningLoop) -> datetime | None:
    """Return when the first period of the present objective began, if a review said so."""
    objective, length = loop.spec.objective.name, loop.spec.business.period.total_seconds()
    for key in reversed(store.list(f"reviews/{loop.name}/")):
        if not key.endswith("/review.json"):
            continue
        try:
            record = json.loads(store.get(key))
            if (record["objective"], record["period_seconds"]) == (objective, length):
                return times.from_text(record["anchor"])
        except (KeyError, TypeError, ValueError, InvalidInput):
            continue  # no review, or half of one: it is written again
    return None


def _record(
    loop: LearningLoop,
    periods: list[Period],
    decision: Decision | None,
    moments: dict[str, datetime],
) -> dict[str, Any]:
    objective, business = loop.spec.objective, loop.spec.terms
    waiting = {
        "decision": "continue",
        "watch": True,
        "to": "",
        "said": "continue, watch",
        "evidence": ["No period is over and mature yet, so there is nothing to decide on."],
        "promises": [],
        "currency": business.currency,
        "target": business.target,
        "floor": business.least_profit if business.currency else None,
    }
    told = {**decision.to_data(business), "said": decision.said} if decision else waiting
    return {
        "loop": loop.name,
        "objective": objective.name,
        "label": objective.label,
        "kpi_name": objective.kpi.name,
        "kpi_unit": objective.kpi.unit,
        "period_seconds": business.period.total_seconds(),
        "confidence": business.confidence,
        **{name: times.to_text(moment) for name, moment in moments.items()},
        **told,
        "periods": [one.to_data(business.confidence) for one in periods],
    }


def _events(loop: LearningLoop, decision: Decision, record: dict[str, Any]) -> dict[str, bytes]:
    """Return the review's events; another decision on the same period is another event."""
    period = decision.look.period
    data = {"loop": loop.name, "objective": record["objective"]}
    data |= decision.to_data(loop.spec.terms)
    digest = hashlib.sha256(_bytes(data)).hexdigest()[:8]
    identity = f"review/{_name(period.start)}/{digest}"
    # When it could first be decided: its outcomes were mature then.
    source, time = f"/driftloop/{loop.name}/review", period.end + loop.spec.label_source.maturity
    decided = CloudEvent(identity, source, event_types.REVIEWED, time, data, loop.name)
    files = {"event.json": decided.to_json()}
    if decision.returned:
        told = {"loop": loop.name, **decision.returned.to_data()}
        kind = event_types.STAGE_RETURNED
        sent = CloudEvent(f"{identity}/returned", source, kind, time, told, loop.name)
        files["returned.json"] = sent.to_json()
    return files


def _name(start: datetime) -> str:
    """Return a period's name in keys: its start."""
    moment = start.astimezone(UTC)
    return f"{moment:%Y-%m-%d}" if moment.time() == moment.min.time() else f"{moment:%Y-%m-%dT%H%M}"


def _bytes(record: dict[str, Any]) -> bytes:
    return json.dumps(record, indent=1, allow_nan=False).encode()
