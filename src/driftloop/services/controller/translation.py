"""Between CloudEvents and the values that decisions.py knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftloop import decisions
from driftloop.decisions import Action, Alert, OpenRetraining, Promote
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

Content = dict[str, Any]


def judged(event: CloudEvent) -> decisions.WindowJudged:
    """Return the judgement in a window.scored event; raise InvalidInput when it has none."""
    data = event.data
    try:
        features: list[Mapping[str, Any]] = data["features"]
        shifts = {f["name"]: _shift(f) for f in features if f["shift"]}
        faults = {f["name"]: _fault(f) for f in features if f["fault"]}
        start = times.from_text(data["window_start"], "window_start", event_types.WINDOW_SCORED)
        end = times.from_text(data["window_end"], "window_end", event_types.WINDOW_SCORED)
        return decisions.WindowJudged(str(data["bundle_version"]), start, end, shifts, faults)
    except (KeyError, TypeError, ValueError) as error:
        what = "data"
        raise InvalidInput(
            what, event_types.WINDOW_SCORED, "a scored window", str(error)
        ) from error


def _shift(feature: Mapping[str, Any]) -> str:
    effect, threshold = float(feature["effect"]), float(feature["threshold"])
    return f"distance {effect:.3f} (threshold {threshold:.3f}, p = {float(feature['p_value']):.1e})"


def _fault(feature: Mapping[str, Any]) -> str:
    says = {
        "missing": f"{feature['missing'] / max(1, feature['total']):.0%} of its values are missing",
        "out_of_range": "its values lie outside the range of its contract",
        "stands_still": "it stands still at one value",
    }
    return says.get(str(feature["fault"]), str(feature["fault"]))


def content(action: Action) -> tuple[str, Content]:
    """Return an action as the ledger stores it: its kind and JSON content."""
    if isinstance(action, OpenRetraining):
        return "open", _opened(action)
    if isinstance(action, Promote):
        return "promote", {"version": action.version, "number": action.retraining}
    if isinstance(action, Alert):
        features = list(action.features)
        return "alert", {"kind": action.kind, "text": action.text, "features": features}
    return "defer", {"cause": _causes((action.cause,))[0], "reason": action.reason}


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
