"""Every condition of the verdict has a case in which it decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from driftloop.evaluation.difference import Interval
from driftloop.scoping.bottleneck import bottleneck
from driftloop.scoping.reach import Check
from driftloop.scoping.verdict import Evidence, verdict
from driftloop.stages.stage import Stage


def process(slow: str) -> pd.DataFrame:
    minutes = {"route": 2.0, "answer": 2.0} | {slow: 9.0}
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            {"case": case, "step": step, "minutes": mean * rng.uniform(0.5, 1.5)}
            for case in range(60)
            for step, mean in minutes.items()
        ]
    )


SOUND = Evidence(
    wish="better support",
    claimed="route",
    bottleneck=bottleneck(process("route")),
    input="a request",
    output="a department",
    objective="minimise log loss",
    labels=5000,
    positives=900,
    negatives=4100,
    rule="one threshold",
    rule_loss=Interval(0.39, 0.4, 0.41),
    target=0.35,
    gain=Interval(0.08, 0.1, 0.12),
    checks=(Check("target", 0.9, "The loss is 0.34."),),
)
CASES = {
    "a wish alone": (Evidence(wish="better support"), "not yet", "not framed"),
    "no output": (replace(SOUND, output=""), "not yet", "not framed"),
    "no step": (replace(SOUND, claimed="", bottleneck=None), "not yet", "no bottleneck"),
    "no step that leads": (
        replace(SOUND, bottleneck=bottleneck(process("none").query("step != 'none'"))),
        "not yet",
        "no bottleneck",
    ),
    "another step": (
        replace(SOUND, bottleneck=bottleneck(process("answer"))),
        "not yet",
        "no bottleneck",
    ),
    "no label": (replace(SOUND, labels=0), "not yet", "not measurable"),
    "few labels": (replace(SOUND, labels=499), "not yet", "too few labels"),
    "few positives": (replace(SOUND, positives=19), "not yet", "too few labels"),
    "few negatives": (replace(SOUND, negatives=0), "not yet", "too few labels"),
    "a rule that is enough": (replace(SOUND, target=0.42), "rule", "rule reaches the target"),
    "out of reach": (
        replace(SOUND, checks=(Check("target", 0.01, "The loss is 0.5."),)),
        "not yet",
        "out of reach",
    ),
    "gain below its cost": (replace(SOUND, least_gain=0.2), "rule", "not worth its cost"),
    "ML that is worse": (
        replace(SOUND, gain=Interval(-0.2, -0.1, 0.05)),
        "rule",
        "not worth its cost",
    ),
    "unsure gain": (replace(SOUND, gain=Interval(-0.02, 0.1, 0.2)), "not yet", "gain unknown"),
    "no comparison": (replace(SOUND, gain=None), "not yet", "gain unknown"),
    "ML": (SOUND, "ML", "worth its cost"),
    "ML, bottleneck claimed": (replace(SOUND, bottleneck=None), "ML", "worth its cost"),
    "ML, no target": (replace(SOUND, target=None, checks=()), "ML", "worth its cost"),
}


@pytest.mark.parametrize(("evidence", "kind", "condition"), CASES.values(), ids=CASES)
def test_each_condition_decides(evidence: Evidence, kind: str, condition: str) -> None:
    found = verdict(evidence)
    assert (found.kind, found.condition) == (kind, condition)
    assert found.reasons
    assert all(found.reasons + found.would_change)
    assert found.to_data()["verdict"] == kind


def test_only_what_is_out_of_reach_sends_the_loop_back() -> None:
    for evidence, _, condition in CASES.values():
        returned = verdict(evidence).returned
        assert (returned is not None) == (condition == "out of reach")
        if returned:
            assert (returned.target, returned.rule) == (Stage.SCOPING, "out_of_reach")
            assert "0.5" in returned.reason


def test_a_wish_lists_what_is_missing() -> None:
    found = verdict(Evidence(wish="better support"))
    assert found.missing[0] == "the steps of today's process with their times"
    assert len(found.missing) == 6
    assert verdict(SOUND).missing == ()


def test_a_bottleneck_that_is_only_claimed_is_told() -> None:
    assert any("is claimed" in one for one in verdict(replace(SOUND, bottleneck=None)).reasons)
    saved = [one for one in verdict(SOUND).reasons if "would be saved" in one]
    assert len(saved) == 1
    told = verdict(replace(SOUND, predicted_minutes=4.5)).reasons
    assert any("At the predicted 4.5 minutes each time it is 4" in one for one in told)
