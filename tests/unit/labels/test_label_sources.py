"""Label sources in loop.yaml: by name, and without them as it was before."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest

from driftloop import loop
from driftloop.loop import LearningLoop
from driftloop_contracts.errors import InvalidInput


def parsed(content: dict[str, Any], labels: list[dict[str, Any]]) -> LearningLoop:
    document = copy.deepcopy(content)
    document["spec"]["data"]["labels"] = labels
    return loop.parse(document, "loop.yaml")


def test_a_label_that_is_not_named_has_the_loops_maturity(ads: LearningLoop) -> None:
    data = ads.spec.data.model_copy(update={"labels": ()})
    label = data.label("click")
    assert (label.maturity, label.absent) == (data.label_maturity, "unknown")


def test_a_named_label_has_its_own(content: dict[str, Any]) -> None:
    own = {"name": "sale", "maturity": "30d", "completeness": "99%", "absent": "negative"}
    data = parsed(content, [{"name": "click", "maturity": "2d"}, own]).spec.data
    assert data.label("click").maturity == timedelta(days=2)
    assert data.label("click").absent == "unknown"
    sale = data.label("sale")
    assert (sale.maturity, sale.completeness, sale.absent) == (timedelta(30), 0.99, "negative")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ([{"name": "a", "maturity": "1d"}] * 2, "labels of different names"),
        ([{"name": "a", "maturity": 1}], "must be a duration with its unit"),
        ([{"name": "a", "maturity": "1d", "completeness": "100%"}], "below 100%"),
        ([{"name": "a", "maturity": "1d", "completeness": "0%"}], "above 0%"),
        ([{"name": "a", "maturity": "1d", "absent": "no"}], "'unknown' or 'negative'"),
        ([{"name": f"l{i}", "maturity": "1d"} for i in range(21)], "at most 20"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(
    content: dict[str, Any], labels: list[dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parsed(content, labels)
