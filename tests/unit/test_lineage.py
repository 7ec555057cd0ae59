"""Lineage reads both ways: from a trigger to traffic, and from a bundle to what triggered it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from driftloop import lineage
from driftloop_contracts import event_types as types


def event(kind: str, name: str, day: int, **data: Any) -> dict[str, Any]:
    return {"id": name, "type": kind, "time": f"2026-01-{day:02d}T00:00:00Z", "data": data}


def window(day: int, bundle: str, *, shift: bool = True) -> dict[str, Any]:
    start, end = (f"2026-01-{n:02d}T00:00:00Z" for n in (day, day + 1))
    shifts = [{"name": "category"}] if shift else []
    name = f"ads/{bundle}/{start}/detected"
    return event(
        types.DRIFT_DETECTED, name, day + 1,
        bundle_version=bundle, window_start=start, window_end=end, shifts=shifts,
    )  # fmt: skip


def opened(number: int, day: int, kind: str, onset: int | None = None) -> dict[str, Any]:
    cause = {
        "kind": kind,
        "onset": f"2026-01-{onset:02d}T00:00:00Z" if onset else None,
        "until": f"2026-01-{day:02d}T00:00:00Z",
        "evidence": ["Why.", "Why else."],
    }
    return event(
        types.RETRAINING_OPENED, f"o{number}", day, retraining=f"ads-{number}", causes=[cause]
    )


def ended(number: int, day: int, verdict: str, version: str) -> dict[str, Any]:
    return event(
        types.RETRAINING_ENDED, f"e{number}", day,
        retraining=f"ads-{number}", verdict=verdict, version=version, reasons=["Good."],
    )  # fmt: skip


EVENTS = [
    opened(1, 1, "initial"),
    ended(1, 1, "promote", "0001-a"),
    event(types.ROLLOUT_PROMOTED, "p1", 1, version="0001-a", retraining="ads-1"),
    window(3, "0001-a"),
    window(4, "0001-a", shift=False),
    window(5, "0001-a"),
    window(5, "0009-z"),
    opened(2, 6, "drift", onset=3),
    window(6, "0001-a"),
    ended(2, 6, "promote", "0002-b"),
    event(types.ROLLOUT_SHIFTED, "s2", 6, version="0002-b", stable="0001-a", share=0.05),
    event(types.ROLLOUT_WITHDRAWN, "w2", 7, version="0002-b", stable="0001-a", why="It is slow."),
    opened(3, 9, "staleness"),
    event(
        types.STAGE_RETURNED, "r2", 7, retraining="ads-2", rule="withdrawn", reason="It is slow.",
        **{"from": "deployment", "to": "model_development"},
    ),
    event(
        types.STAGE_RETURNED, "r0", 8, rule="data_fault", reason="Broken.",
        **{"from": "monitoring", "to": "data_engineering"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["0002-b", "ads-2", "o2", "s2", "r2", "ads/0001-a/2026-01-03T00:00:00Z/detected"]
)
def test_any_link_of_it_names_the_lineage(name: str) -> None:
    (one,) = lineage.trace(name, EVENTS)
    assert (one.name, one.version) == ("ads-2", "0002-b")
    days = [event["data"]["window_start"][8:10] for event in one.triggers]
    assert days == ["03", "05"], "within the drift, of the champion of the time"
    assert [event["id"] for event in one.traffic] == ["s2", "w2"]


def test_it_is_told_in_lines() -> None:
    lines = lineage.sentences(lineage.trace("0002-b", EVENTS)[0])
    text = "\n".join(lines)
    assert lines[0] == "ads-2"
    for told in ("triggered by", "category", "drift: Why. (and 1 more)", "promote", "5%", "slow"):
        assert told in text
    (going,) = lineage.trace("ads-3", EVENTS)
    assert lineage.sentences(going)[-1].strip() == "goes on"
    assert going.triggers == ()


def test_what_led_nowhere_has_none() -> None:
    assert lineage.trace("0009-z", EVENTS) == []
    assert lineage.trace("ads/0009-z/2026-01-05T00:00:00Z/detected", EVENTS) == []


def test_a_log_may_hold_other_lines() -> None:
    lines = ["INFO kopf: started", "[1, 2]", "{", *(json.dumps(one) for one in EVENTS[::-1])]
    assert [e["id"] for e in lineage.read(lines)][:3] != []
    (one,) = lineage.trace("0002-b", lineage.read(lines))
    assert len(one.triggers) == 2


def test_it_says_to_which_stage_the_loop_went_back() -> None:
    (one,) = lineage.trace("ads-2", EVENTS)
    assert [event["id"] for event in one.returned] == ["r2"]
    said = "deployment -> model_development (withdrawn): It is slow."
    assert any(
        line.strip().startswith("returned") and said in line for line in lineage.sentences(one)
    )


def test_what_waited_is_told_with_what_later_rows_said() -> None:
    judged = {"version": "0004-d", "verdict": "promote", "reasons": ["Not worse."], "step": 0}
    events = [
        opened(4, 10, "drift", onset=9),
        ended(4, 10, "hold", "0004-d"),
        event(types.SHADOW_JUDGED, "j4", 13, retraining="ads-4", **judged),
        event(types.ROLLOUT_PROMOTED, "p4", 13, version="0004-d", retraining="ads-4"),
    ]
    (one,) = lineage.trace("0004-d", events)
    said = lineage.sentences(one)
    assert "promote on later rows: Not worse." in said[-2]
    assert said[-1].endswith("all of it")
