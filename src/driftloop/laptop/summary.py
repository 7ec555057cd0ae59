"""Summary: a finished run in numbers, from its events and its ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import kpi
from driftloop.loop import LearningLoop
from driftloop.traffic import Change, Traffic
from driftloop_contracts import event_types as types
from driftloop_contracts import times

Events = list[dict[str, Any]]


def counts(events: Events) -> dict[str, Any]:
    """Return how many windows, drift events and faults there were, promotions and returns."""
    drift = [e for e in events if e["type"] == types.DRIFT_DETECTED]
    promoted = [e for e in events if e["type"] == types.ROLLOUT_PROMOTED]
    return {
        "windows": sum(e["type"] == types.WINDOW_SCORED for e in events),
        "drift_events": sum(bool(e["data"]["shifts"]) for e in drift),
        "fault_events": sum(bool(e["data"]["faults"]) for e in drift),
        "promotions": [{**e["data"], "event_time": e["time"]} for e in promoted],
        "rollbacks": sum(e["type"] == types.ROLLOUT_WITHDRAWN for e in events),
        "returned": [
            {"event_time": e["time"], **e["data"]}
            for e in events
            if e["type"] == types.STAGE_RETURNED
        ],
    }


def retrainings(
    rows: list[dict[str, Any]], warnings: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return the ledger's Retrainings as the summary lists them, with their steps' ``warnings``."""
    return [
        {
            "id": row["name"],
            "causes": row["causes"],
            "event_time": row["event_time"],
            "verdict": row["verdict"],
            "version": row["version"],
            "reasons": row["reasons"] or [],
            "warnings": list(warnings.get(row["name"], ())),
        }
        for row in rows
    ]


def kpi_periods(cohorts: list[dict[str, Any]], loop: LearningLoop) -> list[dict[str, Any]]:
    """Return the KPI of each business period, from the sums of its cohorts."""
    if not cohorts:
        return []
    frame = pd.DataFrame(cohorts).assign(
        start=lambda f: pd.to_datetime(f["start"]), end=lambda f: pd.to_datetime(f["end"])
    )
    period = (frame["start"] - frame["start"].min()) // loop.spec.business.period
    return [_period(part, loop) for _, part in frame.groupby(period)]


def _period(part: pd.DataFrame, loop: LearningLoop) -> dict[str, Any]:
    impressions, positives = float(part["impressions"].sum()), float(part["positives"].sum())
    rate = positives / impressions
    entropy = -sum(q * np.log(q) for q in (rate, 1 - rate) if q > 0)
    means = {
        name: float(np.average(part[name], weights=part["impressions"]))
        for name in ("log_loss", "mean_prediction")
    }
    sums = {"impressions": impressions, "positives": positives, "rows": int(part["rows"].sum())}
    sums |= {n: float(part[n].sum()) for n in ("decided", "decided_right") if n in part}
    values: dict[str, Any] = sums | means | {"base_entropy": float(entropy), "rate": rate}
    return values | {
        "start": times.to_text(part["start"].min().to_pydatetime()),
        "end": times.to_text(part["end"].max().to_pydatetime()),
        "value": kpi.evaluate(loop.spec.objective.kpi.formula, values),
    }


def changes(traffic: Traffic, events: Events, start: pd.Timestamp) -> list[dict[str, Any]]:
    """Return each change scheduled from ``start`` on, with when it was found and answered.

    Seconds are the event's. A drift counts as found by the first shift in a window that ends
    after its start and before the next drift's, a fault by the first fault.
    """
    drifts = sorted(c.start for c in traffic.changes if c.kind == "drift")
    asked, last = traffic.requests["event_time"], traffic.requests["event_time"].iloc[-1]
    served = [change for change in traffic.changes if start <= change.start <= last]
    return [_change(change, drifts, asked, events) for change in served]


def _change(
    change: Change, drifts: list[datetime], asked: pd.Series[pd.Timestamp], events: Events
) -> dict[str, Any]:
    later = [start for start in drifts if start > change.start]
    until = change.end if change.kind == "fault" else (later[0] if later else None)
    key = "faults" if change.kind == "fault" else "shifts"
    found = _first(events, types.DRIFT_DETECTED, change.start, until, key)
    promoted = _first(events, types.ROLLOUT_PROMOTED, found, None) if found else None
    answered = promoted if change.kind == "drift" else None
    return {
        "name": change.name,
        "kind": change.kind,
        "start": times.to_text(change.start),
        "end": times.to_text(change.end) if change.end else None,
        "detected": found is not None,
        **_distance("detection", change.start, found, asked),
        **_distance("promotion", change.start, answered, asked),
    }


def _first(
    events: Events, kind: str, after: datetime, until: datetime | None, key: str = ""
) -> datetime | None:
    """Return the time of the first such event after ``after`` and at most a day past ``until``."""
    for event in events:
        time = times.from_text(event["time"])
        late = until is not None and time > until + timedelta(days=1)
        if event["type"] == kind and time > after and not late and (not key or event["data"][key]):
            return time
    return None


def _distance(
    name: str, start: datetime, end: datetime | None, asked: pd.Series[pd.Timestamp]
) -> dict[str, Any]:
    if end is None:
        return {f"rows_to_{name}": None, f"seconds_to_{name}": None}
    rows = int(((asked >= start) & (asked < end)).sum())
    return {f"rows_to_{name}": rows, f"seconds_to_{name}": (end - start).total_seconds()}


def truth(
    traffic: Traffic, events: Events, start: pd.Timestamp, settle: timedelta
) -> dict[str, Any]:
    """Return what only a simulator's schedule can tell: false alarms, and training on faults.

    ``settle``: how long after a change began the features may still move because of it;
    ``quiet_days``: served days that touch no change; ``trained_on_fault``: promoted models
    whose training window held rows of a broken feature that were not quarantined.
    """
    days = [d.to_pydatetime() for d in pd.date_range(start, traffic.requests["event_time"].max())]
    fired = [
        times.from_text(event["data"]["window_start"])
        for event in events
        if event["type"] == types.DRIFT_DETECTED
    ]
    return {
        "quiet_days": sum(not _touched(day, traffic, settle) for day in days),
        "false_alarms": sum(not _touched(window, traffic, settle) for window in fired),
        "trained_on_fault": _trained_on_fault(traffic, events),
    }


def _trained_on_fault(traffic: Traffic, events: Events) -> int:
    faults = [change for change in traffic.changes if change.kind == "fault"]
    ended = [e for e in events if e["type"] == types.RETRAINING_ENDED]
    promoted = {e["data"]["retraining"] for e in ended if e["data"]["verdict"] == "promote"}
    opened = [e for e in events if e["type"] == types.RETRAINING_OPENED]
    mine = [e for e in opened if e["data"]["retraining"] in promoted]
    return sum(any(_reaches(change, event) for change in faults) for event in mine)


def _reaches(fault: Change, opened: dict[str, Any]) -> bool:
    """Return whether a training at this event could see a broken day that was not quarantined."""
    cutoff, day = times.from_text(opened["time"]), fault.start
    kept_out = [tuple(map(times.from_text, pair)) for pair in opened["data"]["quarantine"]]
    while day < (fault.end or cutoff) and day + timedelta(days=1) <= cutoff:
        if not any(start <= day < end for start, end in kept_out):
            return True
        day += timedelta(days=1)
    return False


def _touched(day: datetime, traffic: Traffic, settle: timedelta) -> bool:
    day_end = day + timedelta(days=1)
    return any(
        change.start < day_end and day < (change.end or change.start) + settle
        for change in traffic.changes
    )


def data_facts(traffic: Traffic, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the stream held."""
    asked = traffic.requests["event_time"]
    return {
        "rows": len(traffic.requests),
        "impressions": float(traffic.requests["weight"].sum()),
        "rejected_rows": len(traffic.rejected),
        "notes": list(traffic.notes),
        "first_event_time": times.to_text(asked.iloc[0].to_pydatetime()),
        "last_event_time": times.to_text(asked.iloc[-1].to_pydatetime()),
        **extra,
    }
