"""A made-up run: 275 days, 10 features, 9 versions, every kind of event a report can meet."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2012, 6, 30, tzinfo=UTC)
DAYS = 275
FEATURES = (
    ("category", "categorical"), ("campaign", "categorical"), ("position", "categorical"),
    ("device", "categorical"), ("discount", "numeric"), ("relevance", "numeric"),
    ("query_ctr_3d", "numeric"), ("query_ctr_14d", "numeric"), ("query_ctr_28d", "numeric"),
    ("ad_ctr_14d", "numeric"),
)  # fmt: skip
SEASON, CAMPAIGN, FAULT = 96, 171, 218
ATTEMPTS = (  # day, kinds, verdict
    (0, ("initial",), "promote"), (60, ("staleness",), "promote"),
    (82, ("drift",), "hold"), (99, ("drift",), "promote"), (107, ("growth",), "promote"),
    (167, ("staleness",), "promote"), (174, ("drift",), "promote"), (182, ("growth",), "promote"),
    (186, ("drift",), "reject"), (205, ("drift", "manual"), "promote"), (240, ("drift",), "failed"),
    (265, ("staleness",), "promote"),
)  # fmt: skip
REASON = (
    "The candidate is not worse than the champion beyond the margin of 1.00%: loss differs by "
    "{:+.2f}% [{:+.2f}%, {:+.2f}%] on 15646 rows of 903 query_ids."
)

Summary = dict[str, Any]
Events = list[dict[str, Any]]


def run(seed: int = 7) -> tuple[Summary, Events]:
    """Return summary and events; the same seed gives the same run."""
    rng = random.Random(seed)
    retrainings, promotions = _retrainings(rng)
    windows = [_window(day, promotions, rng) for day in range(DAYS)]
    cohorts = [_cohort(day, rng) for day in range(DAYS - 2)]
    told = [
        _event("data.fault", FAULT + 1, {
            "kind": "data_fault", "features": ["relevance"],
            "text": "relevance is broken upstream: 100% of its values are missing.",
        })
    ]  # fmt: skip
    events = [*windows, *cohorts, *told]
    events += [_event("rollout.promoted", p["day"], p) for p in promotions]
    events.sort(key=lambda event: event["time"])
    return _summary(retrainings, promotions, [c["data"] for c in cohorts]), events


def bare() -> tuple[Summary, Events]:
    """Return what a run leaves that had no windows, outcomes, models, changes or comparison."""
    summary, _ = run()
    nothing: Summary = {
        "notes": [], "windows": 0, "drift_events": 0, "fault_events": 0, "retrainings": [],
        "promotions": [], "kpi": [], "comparison": {}, "changes": [], "decisions": [],
    }  # fmt: skip
    return {**summary, **nothing}, []


def _at(day: float) -> str:
    return (START + timedelta(days=day)).isoformat().replace("+00:00", "Z")


def _event(kind: str, day: float, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"{kind}/{day}", "source": "/driftloop/ads-ctr/test",
        "type": f"io.driftloop.{kind}.v1", "time": _at(day), "data": data,
    }  # fmt: skip


def _retrainings(rng: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows, promotions = [], []
    for number, (day, kinds, verdict) in enumerate(ATTEMPTS, start=1):
        version = f"{number:04d}-{rng.getrandbits(32):08x}"
        name, gap = f"ads-ctr-{number}", rng.gauss(-2, 2)
        rows.append({
            "id": name, "event_time": _at(day), "verdict": verdict,
            "version": version if verdict == "promote" else "",
            "causes": [{"kind": kind, "evidence": _evidence(kind, day)} for kind in kinds],
            "reasons": [REASON.format(gap, gap - 1.5, gap + 1.5)], "wall_seconds": 9.4,
        })  # fmt: skip
        if verdict == "promote":
            promoted = {"version": version, "retraining": name, "event_time": _at(day)}
            promotions.append({**promoted, "day": day})
    return rows, promotions


def _evidence(kind: str, day: int) -> list[str]:
    if kind == "drift":
        return [
            f"{_at(day - back)[:10]} 00:00: category shifted: distance 0.39{back} "
            "(threshold 0.100, p = 0.0e+00)."
            for back in (3, 2, 1)
        ]
    return {
        "initial": ["The loop has no model yet."],
        "staleness": ["The model's data are older than 60d."],
        "growth": ["Labelled data since the change of 2012-10-04 have grown from 2d to 10d."],
    }.get(kind, ["A person asked for it."])


def _window(day: int, promotions: list[dict[str, Any]], rng: random.Random) -> dict[str, Any]:
    version = [p["version"] for p in promotions if p["day"] <= day][-1]
    features = [_feature(name, kind, day, rng) for name, kind in FEATURES]
    data = {"window_start": _at(day), "window_end": _at(day + 1), "n": 1000}
    return _event(
        "window.scored", day + 1, data | {"bundle_version": version, "features": features}
    )


def _feature(name: str, kind: str, day: int, rng: random.Random) -> dict[str, Any]:
    broken = name == "relevance" and FAULT <= day < FAULT + 6
    season = name == "category" and SEASON <= day < SEASON + 3
    campaign = name in ("campaign", "discount") and CAMPAIGN <= day < CAMPAIGN + 3
    late = name == "ad_ctr_14d" and 76 <= day < 82
    slow = 0.09 * (1 + math.sin(day / 40)) * (name == "query_ctr_28d")
    effect = abs(rng.gauss(0.03, 0.015)) + slow
    effect += 0.36 * season + 0.25 * campaign + 0.12 * late
    threshold = 0.3 if name.startswith("query_ctr_28") else 0.1
    shift = season or campaign or late
    return {
        "name": name, "kind": kind, "total": 1000, "n": 0 if broken else 1000,
        "missing": 1000 if broken else 0, "p_value": 1e-30 if shift else rng.random(),
        "effect": 0.0 if broken else effect, "threshold": threshold, "shift": shift,
        "fault": "missing" if broken else "",
    }  # fmt: skip


def _cohort(day: int, rng: random.Random) -> dict[str, Any]:
    impressions = 40_000 + 9000 * math.sin(2 * math.pi * day / 7) + rng.gauss(0, 2000)
    dip = 0.03 * (SEASON <= day < SEASON + 4) + 0.02 * (CAMPAIGN <= day < CAMPAIGN + 4)
    value = 0.1 + 0.02 * math.sin(day / 30) - dip + rng.gauss(0, 0.008) - 0.2 * (day == 150)
    entropy = 0.11
    data = {
        "start": _at(day), "end": _at(day + 1), "rows": 870, "impressions": impressions,
        "positives": impressions * 0.02, "log_loss": entropy * (1 - value),
        "base_entropy": entropy, "kpi": value, "mean_prediction": 0.02,
    }  # fmt: skip
    return _event("cohort.scored", day + 2, data)


def _summary(
    retrainings: list[dict[str, Any]], promotions: list[dict[str, Any]], cohorts: Events
) -> Summary:
    return {
        "usecase": "ads_ctr", "loop": "ads-ctr", "data": "simulator", "seed": 7,
        "rows": 318_250, "rejected_rows": 3, "first_event_time": _at(-90),
        "notes": ["Simulated with seed 7; the broken feature is null."],
        "last_event_time": _at(DAYS - 1), "replay_from": _at(0), "wall_seconds": 213.2,
        "comparison_seconds": 128.7, "peak_rss_mb": 2384.1, "predictions": 239_875,
        "inference_records": 239_875, "windows": DAYS, "drift_events": 12, "fault_events": 6,
        "retrainings": retrainings, "promotions": promotions, "rollbacks": 0,
        "kpi": [_period(cohorts[i : i + 30]) for i in range(0, len(cohorts), 30)],
        "kpi_name": "information_gain", "kpi_unit": "ratio", "comparison": _comparison(),
        "changes": [
            _change("new product season", "drift", SEASON, None),
            _change("campaign change", "drift", CAMPAIGN, None),
            _change("relevance null", "fault", FAULT, FAULT + 6),
        ],
        "decisions": [
            {"event_time": _at(0), "trigger": "Started", "reasons": ["The loop has no model yet."]}
        ],
    }  # fmt: skip


def _period(cohorts: Events) -> dict[str, Any]:
    total = {k: sum(c[k] for c in cohorts) for k in ("impressions", "positives")}
    means = {k: sum(c[k] for c in cohorts) / len(cohorts) for k in ("log_loss", "base_entropy")}
    value = 1 - means["log_loss"] / means["base_entropy"]
    span = {"start": cohorts[0]["start"], "end": cohorts[-1]["end"]}
    return {**span, **total, **means, "value": value}


def _comparison() -> dict[str, Any]:
    return {
        "never_retrained": {"log_loss": 0.09412, "fits": 1},
        "driftloop": {"log_loss": 0.09178, "fits": 12},
        "calendar": {"log_loss": 0.09225, "fits": 12},
        "retrained_daily": {"log_loss": 0.09149, "fits": 274},
        "estimator": "logistic", "gain_captured": 0.89,
        "difference_to_calendar": {"low": -0.00081, "estimate": -0.00047, "high": -0.00012},
    }  # fmt: skip


def _change(name: str, kind: str, start: int, end: int | None) -> dict[str, Any]:
    drift = kind == "drift"
    return {
        "name": name, "kind": kind, "start": _at(start), "end": _at(end) if end else None,
        "detected": True, "rows_to_detection": 870, "seconds_to_detection": 86_400.0,
        "rows_to_promotion": 2610 if drift else None,
        "seconds_to_promotion": 259_200.0 if drift else None,
    }  # fmt: skip
