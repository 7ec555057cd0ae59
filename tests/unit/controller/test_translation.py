"""Translation: a scored window becomes a judgement, or is refused with a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from driftloop.cohorts import events
from driftloop.decisions import CellScored, ShadowJudged
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.services.controller import translation
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift.observed import Observed, Rule
from driftloop_contracts.drift.tally import Tally
from driftloop_contracts.errors import InvalidInput

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def feature(name: str, **changed: Any) -> dict[str, Any]:
    quiet = {"name": name, "shift": False, "fault": "", "missing": 0, "total": 10}
    return quiet | {"effect": 0.5, "threshold": 0.1, "p_value": 0.001} | changed


def scored(*features: Any, **changed: Any) -> CloudEvent:
    window = {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-01-02T00:00:00Z"}
    data = {"bundle_version": "1-abc", "features": list(features)} | window | changed
    return CloudEvent("1", "/sidecar", event_types.WINDOW_SCORED, NOON, data)


def test_each_feature_is_quiet_shifted_or_broken() -> None:
    features = feature("a"), feature("b", shift=True), feature("c", fault="missing", missing=4)
    judged = translation.judged(scored(*features))
    assert judged.shifts == {"b": "effect 0.500 (threshold 0.100, p = 1.0e-03)"}
    assert judged.faults == {"c": "40% of its values are missing"}


def test_a_fault_of_a_later_sidecar_is_passed_on_in_its_word() -> None:
    assert translation.judged(scored(feature("a", fault="frozen"))).faults == {"a": "frozen"}


@pytest.mark.parametrize(
    "event",
    [
        scored("a"),
        scored({"name": "a"}),
        scored(feature("a", shift=True, effect=None)),
        scored(window_end="later"),
        scored(features=None),
        scored(feature(["a"], shift=True)),
    ],
)
def test_any_other_event_is_refused(event: CloudEvent) -> None:
    with pytest.raises(InvalidInput):
        translation.judged(event)


def test_one_of_several_pods_tells_counts() -> None:
    rule = Rule("a", "numeric", 0.05, 1.0, 1.0, 1.0, True)
    one = Observed(rule, Tally((3.0, 1.0), 0.0, 4, 4.0, 4.0, (0.5, 0.5), 0.0, 100.0))
    joint = {"z": 1.0, "p_value": 0.2, "rows": 4, "effect": 0.1, "threshold": 0.05, "shift": False}
    told = {"pod": "p-1", "observed": [json.loads(json.dumps(one.to_data()))], "joint": joint}
    found = translation.scored(scored(n=4, **told), NOON)
    assert isinstance(found, CellScored)
    assert (found.cell.rows, found.cell.since, found.cell.joint[0].z) == (4, NOON, 1.0)
    assert found.cell.features[0]["tally"]["counts"] == [3.0, 1.0]
    for hostile in ([{"rule": {}, "tally": []}], "text", [1], None):
        with pytest.raises(InvalidInput):
            translation.scored(scored(n=4, **told | {"observed": hostile}), NOON)


def shadow(**changed: Any) -> CloudEvent:
    data = {
        "version": "0002-b",
        "verdict": "hold",
        "reasons": ["Few rows."],
        "needed": 9,
        "step": 1,
    }
    source = "/driftloop/ads-ctr/cohort"
    return CloudEvent("1", source, event_types.SHADOW_JUDGED, NOON, data | changed)


def test_a_verdict_in_the_shadow_is_read_as_it_is_told() -> None:
    passed = Passed(version="0002-b", retraining=2, data_end=NOON)
    rollout = Progress(passed=passed, stable="0001-a", since=NOON, shadow=True, step=3)
    found = ShadowJudged("0002-b", "hold", ("Few rows.",), 900, 3)
    told = events.judged("ads-ctr", found, rollout, NOON)
    assert translation.shadow_judged(told) == found
    later = events.judged("ads-ctr", found, rollout.model_copy(update={"step": 4}), NOON)
    again = events.judged("ads-ctr", replace(found, verdict="promote"), rollout, NOON)
    assert (told.id == later.id, told.id == again.id) == (False, True)


@pytest.mark.parametrize(
    "changed",
    [{"verdict": "yes"}, {"reasons": "x"}, {"reasons": [1]}, {"needed": -1}, {"step": True},
     {"step": None}],
)  # fmt: skip
def test_any_other_verdict_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="in io.driftloop.shadow.judged.v1 must be"):
        translation.shadow_judged(shadow(**changed))
