"""What an answer among classes says, and the texts that come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from driftloop.services.predictor import chosen, payload
from driftloop.spec.costs import Costs
from driftloop.spec.features import Features
from driftloop.training.target import Answers
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.text import MOST

FEATURES = Features.model_validate(
    {
        "service": "s",
        "entities": ["who"],
        "columns": [{"name": "message", "kind": "text", "origin": "request"}],
    }
)
TWO = Answers(
    np.array([0.9, 0.5]),
    np.array(["hr", "it"], dtype=object),
    np.array([[0.9, 0.1], [0.5, 0.5]]),
)


def rows(*messages: Any) -> Any:
    return payload.from_v1({"instances": [{"who": 1, "message": m} for m in messages]}, FEATURES)


def test_a_binary_answer_says_nothing_more() -> None:
    assert chosen.of(Answers(np.array([0.3])), None) is None


def test_v1_and_v2_say_the_same() -> None:
    told = chosen.of(TWO, Costs(unit="EUR", wrong_answer=10, person=2))
    assert told is not None
    v1 = told.to_v1()
    assert v1 == {
        "classes": ["hr", "it"],
        "probabilities": [[0.9, 0.1], [0.5, 0.5]],
        "decided": [True, False],
    }
    v2 = {name: (shape, kind, data) for name, shape, kind, data in told.to_v2()}
    assert v2["class"] == ([2], "BYTES", ["hr", "it"])
    assert v2["probabilities"] == ([2, 2], "FP64", [0.9, 0.1, 0.5, 0.5])
    assert v2["decided"] == ([2], "BOOL", [True, False])


def test_without_costs_nothing_is_said_of_a_person() -> None:
    told = chosen.of(TWO, None)
    assert told is not None
    assert "decided" not in told.to_v1()
    assert [name for name, *_ in told.to_v2()] == ["class", "probabilities"]


def test_a_long_text_is_cut_and_a_missing_one_stays_missing() -> None:
    found = rows("a" * (MOST + 1), None, "")["message"]
    assert [None if one is None else len(one) for one in found] == [MOST, None, 0]


@pytest.mark.parametrize("odd", [1, ["a"], {"a": 1}, True])
def test_what_is_no_text_is_refused(odd: Any) -> None:
    with pytest.raises(InvalidInput, match="strings or null"):
        rows(odd)
