"""Retraining objects: an order of the controller as an API object, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from driftloop.resources import conditions, standing
from driftloop.resources.conditions import Condition
from driftloop.resources.pod import LOOP, Manifest
from driftloop.training import carried
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import times


def content(order: Order, causes: Sequence[Mapping[str, Any]]) -> Manifest:
    """Return the Retraining for ``order``; its name makes it once."""
    spec: Manifest = {
        "loop": order.loop,
        "number": order.number,
        "cutoff": times.to_text(order.cutoff),
        "champion": order.champion,
        "causes": [
            {key: cause[key] for key in ("kind", "onset", "evidence") if cause.get(key)}
            for cause in causes
        ],
        "quarantine": [
            {"start": times.to_text(start), "end": times.to_text(end)}
            for start, end in order.quarantine
        ],
    }
    if order.onset:
        spec["onset"] = times.to_text(order.onset)
    return {
        "apiVersion": "driftloop.io/v1alpha1",
        "kind": "Retraining",
        "metadata": {"name": order.name, "labels": {LOOP: order.loop}},
        "spec": spec,
    }


def order(retraining: Manifest) -> Order:
    """Return the order that a Retraining was made from."""
    spec = retraining["spec"]
    return Order(
        loop=spec["loop"],
        number=int(spec["number"]),
        cutoff=times.from_text(spec["cutoff"]),
        cause="+".join(cause["kind"] for cause in spec["causes"]),
        champion=spec.get("champion", ""),
        onset=times.from_text(spec["onset"]) if spec.get("onset") else None,
        quarantine=tuple(
            (times.from_text(interval["start"]), times.from_text(interval["end"]))
            for interval in spec.get("quarantine", ())
        ),
    )


def ended(outcome: Outcome, retraining: Manifest, now: datetime) -> Manifest:
    """Return what the status of ``retraining`` gains by its ``outcome``."""
    known = (retraining.get("status") or {}).get("conditions", [])
    generation = int(retraining["metadata"].get("generation", 1))
    verdict = outcome.verdict
    complete = Condition(
        "Complete", verdict != "failed", verdict.capitalize(), " ".join(outcome.reasons)
    )
    found: Manifest = {
        "phase": "Ended",
        "ended": times.to_text(now),
        "verdict": verdict,
        "version": outcome.version,
        "reasons": list(outcome.reasons),
        "conditions": conditions.merged(known, [complete], now, generation),
    }
    if outcome.returned:
        found["returned"] = [standing.shortened(one.to_data()) for one in outcome.returned]
    return found | ({"dataEnd": times.to_text(outcome.data_end)} if outcome.data_end else {})


def outcome(status: Manifest) -> Outcome | None:
    """Return how a Retraining with this status ended, None while it goes on."""
    if status.get("phase") != "Ended":
        return None
    end = status.get("dataEnd")
    data_end = times.from_text(end) if end else None
    reasons = tuple(status.get("reasons", ()))
    told = status["verdict"], status.get("version", ""), data_end, reasons
    return Outcome(*told, returned=carried.of(status))
