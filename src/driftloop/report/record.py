"""Record: a run's summary and events as the values that plots and tables are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from driftloop_contracts import event_types as types
from driftloop_contracts import times

Summary = dict[str, Any]
Events = list[dict[str, Any]]


@dataclass(frozen=True)
class Reading:
    """One feature in one window; ``effect`` and ``threshold`` are distances in [0, 1]."""

    name: str
    start: datetime
    end: datetime
    bundle: str
    n: int
    missing: int
    effect: float
    threshold: float
    p_value: float | None
    shift: bool
    fault: str

    @property
    def ratio(self) -> float:
        """Return the effect in units of its threshold."""
        return self.effect / self.threshold if self.threshold else 0.0


@dataclass(frozen=True)
class Cohort:
    """The KPI of one stretch of time whose outcomes are mature."""

    start: datetime
    end: datetime
    impressions: float
    value: float

    @property
    def middle(self) -> datetime:
        """Return where the cohort's point lies."""
        return self.start + (self.end - self.start) / 2


@dataclass(frozen=True)
class Attempt:
    """A Retraining: why it ran and how it ended."""

    name: str
    time: datetime
    verdict: str
    version: str
    kinds: tuple[str, ...]
    evidence: tuple[str, ...]
    reasons: tuple[str, ...]
    wall_seconds: float | None

    @property
    def missed(self) -> bool:
        """Return whether it ended without a promotion."""
        return bool(self.verdict) and self.verdict != "promote"

    @property
    def mark(self) -> str:
        """Return the kind of mark of one that missed; a verdict from outside names no style."""
        return {"hold": "held", "reject": "rejected"}.get(self.verdict, "failed")


@dataclass(frozen=True)
class Version:
    """A bundle in service from its promotion to the next one's."""

    name: str
    start: datetime
    end: datetime
    attempt: Attempt | None


@dataclass(frozen=True)
class Fault:
    """A data fault as a person was told of it."""

    time: datetime
    features: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Return:
    """``source`` sent the loop back to ``target``; ``retraining``: '' where it is about none."""

    time: datetime
    source: str
    target: str
    rule: str
    reason: str
    retraining: str


@dataclass(frozen=True)
class Change:
    """What a simulator scheduled."""

    name: str
    kind: str
    start: datetime


@dataclass(frozen=True)
class Run:
    """A whole run on its time axis [first, last]; ``reviews``: of the business."""

    first: datetime
    last: datetime
    readings: tuple[Reading, ...]
    cohorts: tuple[Cohort, ...]
    attempts: tuple[Attempt, ...]
    versions: tuple[Version, ...]
    faults: tuple[Fault, ...]
    changes: tuple[Change, ...]
    returned: tuple[Return, ...] = ()
    reviews: int = 0


def read(summary: Summary, events: Events) -> Run:
    """Return the run that a summary and its events describe; what is absent stays empty."""
    readings = tuple(_readings(events))
    cohorts = tuple(sorted(_cohorts(events), key=lambda cohort: cohort.start))
    attempts = tuple(_attempt(row) for row in summary.get("retrainings") or ())
    first, last = _extent(summary, events, [r.end for r in readings] + [c.end for c in cohorts])
    return Run(
        first=first,
        last=last,
        readings=readings,
        cohorts=cohorts,
        attempts=attempts,
        versions=tuple(_versions(summary, attempts, last)),
        faults=tuple(_fault(event) for event in _of(events, types.DATA_FAULT)),
        changes=tuple(_change(change) for change in summary.get("changes") or ()),
        returned=tuple(_return(event) for event in _of(events, types.STAGE_RETURNED)),
        reviews=sum(1 for _ in _of(events, types.REVIEWED)),
    )


def _of(events: Events, kind: str) -> Iterator[dict[str, Any]]:
    return (event for event in events if event["type"] == kind)


def _extent(summary: Summary, events: Events, ends: list[datetime]) -> tuple[datetime, datetime]:
    """Return where the time axis begins and ends; a run without any time gets one day."""
    started = summary.get("replay_from") or summary.get("first_event_time")
    stopped = summary.get("last_event_time")
    seen = [times.from_text(event["time"]) for event in events]
    first = (
        times.from_text(started) if started else min(seen, default=datetime(1970, 1, 1, tzinfo=UTC))
    )
    last = max([*ends, *([times.from_text(stopped)] if stopped else seen)], default=first)
    return first, max(last, first + timedelta(minutes=1)) if last > first else first + timedelta(1)


def _readings(events: Events) -> Iterator[Reading]:
    for event in _of(events, types.WINDOW_SCORED):
        data = event["data"]
        start, end = (times.from_text(data[key]) for key in ("window_start", "window_end"))
        for feature in data["features"]:
            yield Reading(
                name=str(feature["name"]),
                start=start,
                end=end,
                bundle=str(data.get("bundle_version", "")),
                n=int(feature.get("n", data.get("n", 0))),
                missing=int(feature.get("missing") or 0),
                effect=float(feature.get("effect") or 0.0),
                threshold=float(feature.get("threshold") or 0.0),
                p_value=feature.get("p_value"),
                shift=bool(feature.get("shift")),
                fault=str(feature.get("fault") or ""),
            )


def _cohorts(events: Events) -> Iterator[Cohort]:
    for event in _of(events, types.COHORT_SCORED):
        data = event["data"]
        if data.get("kpi") is not None:
            start, end = (times.from_text(data[key]) for key in ("start", "end"))
            yield Cohort(start, end, float(data.get("impressions") or 0.0), float(data["kpi"]))


def _attempt(row: dict[str, Any]) -> Attempt:
    causes = row.get("causes") or ()
    return Attempt(
        name=str(row["id"]),
        time=times.from_text(row["event_time"]),
        verdict=str(row.get("verdict") or ""),
        version=str(row.get("version") or ""),
        kinds=tuple(dict.fromkeys(str(cause["kind"]) for cause in causes)),
        evidence=tuple(str(text) for cause in causes for text in cause.get("evidence") or ()),
        reasons=tuple(str(text) for text in row.get("reasons") or ()),
        wall_seconds=row.get("wall_seconds"),
    )


def _versions(summary: Summary, attempts: tuple[Attempt, ...], last: datetime) -> Iterator[Version]:
    promoted = sorted(summary.get("promotions") or (), key=lambda row: str(row["event_time"]))
    starts = [times.from_text(row["event_time"]) for row in promoted]
    by_name = {attempt.name: attempt for attempt in attempts}
    for row, start, end in zip(promoted, starts, [*starts[1:], last], strict=False):
        attempt = by_name.get(str(row.get("retraining")))
        yield Version(str(row["version"]), start, max(start, end), attempt)


def _fault(event: dict[str, Any]) -> Fault:
    data = event["data"]
    features = tuple(str(name) for name in data.get("features") or ())
    return Fault(times.from_text(event["time"]), features, str(data.get("text") or ""))


def _return(event: dict[str, Any]) -> Return:
    names = ("from", "to", "rule", "reason", "retraining")
    told = (str(event["data"].get(name) or "") for name in names)
    return Return(times.from_text(event["time"]), *told)


def _change(row: dict[str, Any]) -> Change:
    return Change(str(row["name"]), str(row.get("kind", "")), times.from_text(row["start"]))
