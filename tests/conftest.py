"""A run as the report takes it: with nothing in it, and with one of everything."""

from __future__ import annotations

from typing import Any

import pytest

from driftloop_contracts import event_types as types

Run = tuple[dict[str, Any], list[dict[str, Any]]]

EMPTY: dict[str, Any] = {
    "loop": "ads-ctr", "data": "simulator", "rows": 0, "rejected_rows": 0, "notes": [],
    "first_event_time": "2026-01-01T00:00:00Z", "last_event_time": "2026-01-10T00:00:00Z",
    "replay_from": "2026-01-04T00:00:00Z", "wall_seconds": 1.0, "peak_rss_mb": 1.0,
    "predictions": 0, "windows": 0, "drift_events": 0, "fault_events": 0, "retrainings": [],
    "promotions": [], "kpi": [], "kpi_name": "gain", "kpi_unit": "ratio", "comparison": {},
    "changes": [],
}  # fmt: skip


def event(kind: str, day: int, **data: Any) -> dict[str, Any]:
    return {"type": kind, "time": f"2026-01-{day:02d}T00:00:00Z", "data": data}


@pytest.fixture
def empty_run() -> Run:
    return EMPTY, []


@pytest.fixture
def full_run() -> Run:
    feature = {"name": "price", "effect": 0.3, "threshold": 0.1, "shift": True, "fault": ""}
    broken = {"name": "<i>age", "effect": 0.0, "threshold": 0.1, "shift": False, "fault": "missing"}
    span = {"window_start": "2026-01-05T00:00:00Z", "window_end": "2026-01-06T00:00:00Z"}
    cohort = {"start": "2026-01-05T00:00:00Z", "impressions": 10.0, "kpi": 0.2}
    events = [
        event(types.ROLLOUT_PROMOTED, 4, version="0001-a", retraining="ads-ctr-1"),
        event(types.WINDOW_SCORED, 6, n=10, features=[feature, broken], **span),
        event(types.COHORT_SCORED, 7, **cohort),
        event(types.DATA_FAULT, 6, text="broken"),
        event(types.RETRAINING_ENDED, 8, verdict="hold"),
    ]
    cause = {"kind": "drift", "evidence": ["<script>alert(1)</script>"]}
    row = {
        "id": "ads-ctr-2", "causes": [cause], "event_time": "2026-01-08T00:00:00Z",
        "verdict": "hold", "version": "", "reasons": ["Too few rows & more."],
    }  # fmt: skip
    comparison = {"driftloop": {"log_loss": 0.1, "fits": 2}}
    return EMPTY | {"retrainings": [row], "comparison": comparison}, events
