"""The sidecar's two events: a window was scored; what it showed is drift or a fault."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from drift_sidecar import grid
from drift_sidecar.joint import MIN_EFFECT
from drift_sidecar.scoring import Scored
from drift_sidecar.window import Window
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift.finding import JOINT_NAME, Finding


@dataclass(frozen=True)
class Origin:
    """Who speaks: loop and bundle, the reference's digest, the pod where there are several."""

    loop: str
    bundle: str
    reference: str
    pod: str = ""

    @property
    def source(self) -> str:
        """Return the source of this sidecar's events: its windows are not another pod's."""
        own = f"/driftloop/{self.loop}/sidecar"
        return f"{own}/{self.pod}" if self.pod else own


def of_window(window: Window, scored: Scored, origin: Origin) -> list[CloudEvent]:
    """Return window.scored, and drift.detected after it when anything was found.

    Ids follow from loop, bundle and window alone, so a repeated scoring is a repeated event.
    """
    said = _event(window, origin, "scored", event_types.WINDOW_SCORED)
    data: dict[str, Any] = {
        "mean_prediction": window.mean_prediction,
        "weight": window.weight,
        "level": scored.level,
        "features": [_feature(finding, scored) for finding in scored.findings],
        "joint": _joint(scored),
        "prediction": _prediction(scored, origin),
        "suspects": [finding.name for finding in scored.findings if finding.suspect],
    }
    if origin.pod:  # the controller judges the counts of all replicas together
        data |= {"pod": origin.pod, "observed": [one.to_data() for one in scored.observed]}
        data |= {"served": scored.served.to_data() if scored.served else None}
    events = [_with(said, data)]
    # A broken feature is no drift: its distance only says how it is broken.
    shifts = sorted(
        (f for f in scored.findings if f.shift and not f.fault), key=lambda f: -f.strength
    )
    faults = [_fault(finding) for finding in scored.findings if finding.fault]
    causes = [_shift(finding) for finding in shifts] + _together(scored)
    if causes or faults:
        detected = _event(window, origin, "detected", event_types.DRIFT_DETECTED)
        events.append(_with(detected, {"shifts": causes, "faults": faults}))
    return events


def _prediction(scored: Scored, origin: Origin) -> dict[str, Any] | None:
    """Return whether what to expect of predictions is still learnt, where it is learnt here."""
    is_here = scored.served is not None and not origin.pod
    return {"learning": scored.is_learning} if is_here else None


def _joint(scored: Scored) -> dict[str, Any] | None:
    found = scored.joint
    if found is None:
        return None
    return {
        "z": found.z,
        "p_value": found.p_value,
        "rows": found.rows[1],
        "effect": found.effect,
        "threshold": MIN_EFFECT,
        "shift": scored.is_joint_shift,
    }


def _together(scored: Scored) -> list[dict[str, Any]]:
    """Return the cause that all features together are, where they are one."""
    told = _joint(scored)
    if told is None or not told["shift"]:
        return []
    own = {name: told[name] for name in ("effect", "threshold", "p_value")}
    return [{"name": JOINT_NAME, **own, "level": scored.level, "tests": ["joint"]}]


def _feature(finding: Finding, scored: Scored) -> dict[str, Any]:
    measured = [asdict(one) for one in scored.measured.get(finding.name, ())]
    return finding.to_data() | {"measured": measured}


def _event(window: Window, origin: Origin, what: str, kind: str) -> CloudEvent:
    start, end = grid.text(window.start), grid.text(window.end)
    data = {
        "loop": origin.loop,
        "bundle_version": origin.bundle,
        "window_start": start,
        "window_end": end,
        "n": window.n,
        "reference": origin.reference,
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
        "level": finding.level,
        "tests": [test.name for test in finding.tests if test.shift],
    }


def _fault(finding: Finding) -> dict[str, Any]:
    return {"name": finding.name, "fault": finding.fault, "share": finding.share}
