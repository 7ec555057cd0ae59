"""The sidecar's two events: a window was scored; what it showed is drift or a fault."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drift_sidecar import grid
from drift_sidecar.scoring import Finding
from drift_sidecar.window import Window
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent


@dataclass(frozen=True)
class Origin:
    """Who speaks: loop and bundle, the level of one test, the pod where there are several."""

    loop: str
    bundle: str
    level: float
    pod: str = ""

    @property
    def source(self) -> str:
        """Return the source of this sidecar's events: its windows are not another pod's."""
        own = f"/driftloop/{self.loop}/sidecar"
        return f"{own}/{self.pod}" if self.pod else own


def of_window(window: Window, findings: list[Finding], origin: Origin) -> list[CloudEvent]:
    """Return window.scored, and drift.detected after it when anything was found.

    Ids follow from loop, bundle and window alone, so a repeated scoring is a repeated event.
    """
    scored = _event(window, origin, "scored", event_types.WINDOW_SCORED)
    data = {
        "mean_prediction": window.mean_prediction,
        "weight": window.weight,
        "level": origin.level,
        "features": [finding.to_data() for finding in findings],
    }
    events = [_with(scored, data)]
    # A broken feature is no drift: its distance only says how it is broken.
    shifts = [_shift(f) for f in findings if f.shift and not f.fault]
    faults = [_fault(finding) for finding in findings if finding.fault]
    if shifts or faults:
        detected = _event(window, origin, "detected", event_types.DRIFT_DETECTED)
        events.append(_with(detected, {"shifts": shifts, "faults": faults}))
    return events


def _event(window: Window, origin: Origin, what: str, kind: str) -> CloudEvent:
    start, end = grid.text(window.start), grid.text(window.end)
    data = {
        "loop": origin.loop,
        "bundle_version": origin.bundle,
        "window_start": start,
        "window_end": end,
        "n": window.n,
    }
    return CloudEvent(
        id=f"{origin.loop}/{origin.bundle}/{start}/{what}",
        source=origin.source,
        type=kind,
        time=grid.instant(window.end),
        data=data,
    )


def _with(event: CloudEvent, data: dict[str, Any]) -> CloudEvent:
    return CloudEvent(event.id, event.source, event.type, event.time, {**event.data, **data})


def _shift(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.name,
        "effect": finding.effect,
        "threshold": finding.threshold,
        "p_value": finding.p_value,
    }


def _fault(finding: Finding) -> dict[str, Any]:
    return {"name": finding.name, "fault": finding.fault, "share": finding.share}
