"""Between CloudEvents and the values that decisions knows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from driftloop import decisions
from driftloop.decisions import Action, Alert, OpenRetraining, Promote, Shift, Withdraw
from driftloop.decisions.returns import Sent
from driftloop.drift import matured, wording
from driftloop.drift.pool import Cell, Joint
from driftloop.rollout import outcomes
from driftloop.stages import returned
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift import observed, served
from driftloop_contracts.drift.finding import JOINT_NAME
from driftloop_contracts.errors import InvalidInput

Content = dict[str, Any]

VERDICTS = ("promote", "hold", "reject")
"""What a gate may say."""


def scored(event: CloudEvent, now: datetime) -> decisions.WindowJudged | decisions.CellScored:
    """Return what a window.scored event says; raise InvalidInput when it says nothing.

    A sidecar that is its loop's only one has judged its window itself; one of several names its
    pod, and its counts are judged together with theirs.
    """
    return _cell(event, now) if event.data.get("pod") else judged(event)


def _cell(event: CloudEvent, now: datetime) -> decisions.CellScored:
    data = event.data
    try:
        features = tuple(observed.from_data(one).to_data() for one in data["observed"])
        cell = Cell(
            bundle=str(data["bundle_version"]),
            start=times.from_text(data["window_start"], "window_start", event_types.WINDOW_SCORED),
            end=times.from_text(data["window_end"], "window_end", event_types.WINDOW_SCORED),
            since=now,
            rows=data["n"],
            features=features,
            joint=_joint(data.get("joint")),
            served=served.from_data(data["served"]).to_data() if data.get("served") else None,
        )
        return decisions.CellScored(cell)
    except (KeyError, TypeError, ValueError) as error:
        where, allowed = event_types.WINDOW_SCORED, "a scored window"
        raise InvalidInput("data", where, allowed, str(error)) from error


def _joint(data: Mapping[str, Any] | None) -> tuple[Joint, ...]:
    return (Joint(**{name: data[name] for name in Joint.model_fields}),) if data else ()


def cohort(event: CloudEvent) -> decisions.CohortMatured | None:
    """Return the outcomes in a cohort.scored event, or None where nothing follows from them."""
    told, beside = event.data.get("outcomes"), event.data.get("beside")
    if told is None and beside is None:
        return None
    return decisions.CohortMatured(
        part=None if told is None else matured.from_data(told),
        beside=None if beside is None else outcomes.from_data(beside),
        slices=matured.slices_of(event.data.get("slices", [])),
    )


def shadow_judged(event: CloudEvent) -> decisions.ShadowJudged:
    """Return the verdict in a shadow.judged event; raise InvalidInput where it says none."""
    data, where = event.data, event_types.SHADOW_JUDGED
    if data.get("verdict") not in VERDICTS:
        allowed = f"one of {', '.join(VERDICTS)}"
        raise InvalidInput("verdict", where, allowed, data.get("verdict"))
    reasons, needed, step = (data.get(name) for name in ("reasons", "needed", "step"))
    if not isinstance(reasons, list) or not all(isinstance(one, str) for one in reasons):
        raise InvalidInput("reasons", where, "a list of texts", reasons)
    if type(needed) is not int or type(step) is not int or min(needed, step) < 0:
        raise InvalidInput("needed and step", where, "numbers from 0 on", [needed, step])
    version, predicted = str(data.get("version")), data.get("predicted", 1.0)
    if type(predicted) not in (int, float) or not 0 < predicted < math.inf:
        raise InvalidInput("predicted", where, "a number above 0", predicted)
    told = data["verdict"], tuple(reasons), needed, step, predicted
    return decisions.ShadowJudged(version, *told)


def stage_returned(event: CloudEvent) -> decisions.StageReturned:
    """Return what a stage outside the controller says; raise InvalidInput for no return."""
    return decisions.StageReturned(returned.from_data(event.data))


def judged(event: CloudEvent) -> decisions.WindowJudged:
    """Return the judgement in a window.scored event; raise InvalidInput when it has none."""
    data = event.data
    try:
        features: list[Mapping[str, Any]] = data["features"]
        shifts = {f["name"]: wording.shift(f) for f in features if f["shift"]}
        joint = data.get("joint")
        if joint and joint["shift"]:
            shifts[JOINT_NAME] = wording.joint(joint["effect"], joint["threshold"])
        faults = {f["name"]: wording.fault(f) for f in features if f["fault"]}
        start = times.from_text(data["window_start"], "window_start", event_types.WINDOW_SCORED)
        end = times.from_text(data["window_end"], "window_end", event_types.WINDOW_SCORED)
        return decisions.WindowJudged(str(data["bundle_version"]), start, end, shifts, faults)
    except (KeyError, TypeError, ValueError) as error:
        what = "data"
        raise InvalidInput(
            what, event_types.WINDOW_SCORED, "a scored window", str(error)
        ) from error


def content(action: Action) -> tuple[str, Content]:
    """Return an action as the ledger stores it: its kind and JSON content."""
    if isinstance(action, OpenRetraining):
        return "open", _opened(action)
    if isinstance(action, Promote):
        return "promote", {"version": action.version, "number": action.retraining}
    if isinstance(action, Shift):
        parts = {"version": action.version, "stable": action.stable, "share": action.share}
        return "shift", parts
    if isinstance(action, Withdraw):
        parts = {"version": action.version, "stable": action.stable, "why": action.why}
        return "withdraw", parts
    if isinstance(action, Alert):
        features = list(action.features)
        return "alert", {"kind": action.kind, "text": action.text, "features": features}
    return "defer", {"cause": _causes((action.cause,))[0], "reason": action.reason}


def sent(one: Sent, loop_name: str, now: datetime, taken: CloudEvent | None) -> Content:
    """Return a stage's return as the ledger stores it, with what its event is called.

    ``taken``: the event that brought it, which is passed on as it is. Otherwise the id names the
    instant, the rule and the reason: the same return told twice is one event.
    """
    data: Content = dict(one.returned.to_data())
    if one.number:
        data["retraining"] = f"{loop_name}-{one.number}"
    if taken:
        origin = {"source": taken.source, "id": taken.id, "time": times.to_text(taken.time)}
        return {"data": dict(taken.data), **origin}
    digest = hashlib.blake2b(one.returned.reason.encode(), digest_size=4).hexdigest()
    key = f"{times.to_text(now)}/{one.returned.rule}/{digest}"
    return {"data": data, "id": f"{event_types.STAGE_RETURNED}/{key}"}


def _opened(action: OpenRetraining) -> Content:
    return {
        "number": action.number,
        "causes": _causes(action.causes),
        "onset": times.to_text(action.onset) if action.onset else None,
        "champion": action.champion,
        "quarantine": [[times.to_text(i.start), times.to_text(i.end)] for i in action.quarantine],
    }


def _causes(causes: tuple[Any, ...]) -> list[Content]:
    return [cause.model_dump(mode="json") for cause in causes]
