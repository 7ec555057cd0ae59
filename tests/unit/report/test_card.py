"""A bundle's page tells what it is, escapes what it is told, and stands gaps."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from driftloop.report import card
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.bundle import Manifest

FACTS: dict[str, Any] = {
    "objective": "ctr",
    "label": "clicked",
    "metric": "log_loss",
    "estimator": "logistic",
    "columns": ["device", "<script>"],
    "estimators": ["logistic"],
    "rows": 80_000,
    "retraining": "ads-ctr-5",
    "cause": "drift+growth",
    "changed": False,
    "made_by": {"commit": "1a2b3c+", "image": "driftloop/platform@sha256:9"},
    "libraries": {"scikit-learn": "1.9.1"},
    "metrics": {"candidate_loss": 0.28308, "champion_loss": 0.28394, "trivial_loss": 0.34366},
    "training_window": ["2026-01-01", "2026-03-21"],
}
MANIFEST = Manifest("ads-ctr", "0005-a8", "2026-03-21T18:00:22Z", FACTS, {"model.skops": "ab" * 32})
VERDICT: dict[str, Any] = {
    "verdict": "promote",
    "reasons": ["It is not worse than <b>0004</b>."],
    "slices": [
        {"name": "device = phone", "rows": 204, "difference": -0.03, "p_value": 0.92,
         "harmed": False, "lacking": 0, "interval": [-0.0711, -0.03, 0.0123]},
    ],
    "losses": {"candidate": [0.27111, 0.28308, 0.29555]},
    "cost": {"latency_ms": 6.785, "size": 103_728.0, "memory": 677_641.0},
}  # fmt: skip
BASELINE = Baseline(
    "ads-ctr",
    86_400,
    200,
    0.0,
    (FeatureBaseline("discount", "numeric", 0.2, 0.02, True, low=0, high=1),),
    unmonitored=(("query_ctr_3d", "numeric"),),
)


def test_it_tells_where_the_bundle_came_from_and_how_it_was_judged() -> None:
    page = card.render(asdict(MANIFEST), VERDICT, BASELINE)
    for told in (
        "0005-a8", "clicked", "80,000", "ads-ctr-5", "drift+growth", "1a2b3c+", "sha256:9",
        "0.28308", "0.34366", "promoted", "6.79 ms", "device = phone", "-0.0300", "discount",
        "0.27111 to 0.29555", "-0.0711 to 0.0123", "0 to 1", "query_ctr_3d", "ab" * 32,
    ):  # fmt: skip
        assert told in page


def test_what_it_is_told_is_escaped() -> None:
    page = card.render(asdict(MANIFEST), VERDICT, BASELINE)
    assert "<script>" not in page
    assert "<b>0004" not in page
    assert "&lt;b&gt;0004" in page


@pytest.mark.parametrize("facts", [{}, {"made_by": None, "metrics": None, "columns": None}])
def test_an_older_bundle_leaves_gaps_and_no_error(facts: dict[str, Any]) -> None:
    page = card.render(asdict(replace(MANIFEST, facts=facts)), {}, BASELINE)
    assert "The gate&#x27;s verdict is gone." in page
    assert "names no metrics" in page


def test_a_loop_of_classes_tells_how_each_one_does_and_which_is_taken_for_which() -> None:
    told = {
        "classes": ["hr", "<it>"],
        "confusion": [[80.0, 20.0], [5.0, 95.0]],
        "recall": {"hr": [0.7, 0.8, 0.9], "<it>": [0.9, 0.95, 0.99]},
        "precision": {"hr": [0.8, 0.94, 0.99], "<it>": None},
        "macro_f1": [0.8, 0.87, 0.9],
        "accuracy": [0.8, 0.875, 0.9],
    }
    manifest = asdict(replace(MANIFEST, facts=FACTS | {"by_class": told}))
    page = card.render(manifest, VERDICT, BASELINE)
    assert "80 % (70 % to 90 %)" in page
    assert "&lt;it&gt;" in page
    assert "<it>" not in page
    assert ">95<" in page
    assert "By class" not in card.render(asdict(MANIFEST), VERDICT, BASELINE)


def test_it_shows_what_steps_warned_of() -> None:
    warned = VERDICT | {"warnings": ["Of <b>ads</b> a day is missing."]}
    page = card.render(asdict(MANIFEST), warned, BASELINE)
    assert "Of &lt;b&gt;ads&lt;/b&gt; a day is missing." in page
    assert "warned of nothing" in card.render(asdict(MANIFEST), VERDICT, BASELINE)
