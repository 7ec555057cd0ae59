"""The best rule among classes: what made the rows is found, and the use case's own is heard."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from driftloop.scoping import class_rule
from driftloop_contracts.errors import InvalidInput

CLASSES = ("it", "hr", "tax")


def rows(seed: int, size: int = 3000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, city = rng.uniform(0, 10, size), rng.choice(["here", "there"], size)
    made = np.where(age > 6, "it", np.where(city == "there", "hr", "tax"))
    category = np.where(rng.random(size) < 0.1, rng.choice(CLASSES, size), made)
    return pd.DataFrame({"age": age, "city": city, "weight": 1.0, "category": category})


def test_two_questions_are_found_and_near_the_least_loss() -> None:
    judged = class_rule.judged(rows(0), rows(1), ("age", "city"), CLASSES)
    assert [one.rule.name for one in judged] == ["tree of depth 2", "one question", "constant"]
    right, other = 0.9 + 0.1 / 3, 0.1 / 3
    least = -(right * np.log(right) + 2 * other * np.log(other))
    assert judged[0].loss == pytest.approx(least, abs=0.05)
    assert "city is" in judged[0].rule.says
    assert "age <= 6" in judged[0].rule.says


def test_a_rule_that_names_classes_gets_their_shares() -> None:
    own = {"by age": lambda frame: np.where(frame["age"] > 6, "it", "hr")}
    judged = class_rule.judged(rows(0), rows(1), ("age",), CLASSES, own)
    losses = {one.rule.name: one.loss for one in judged}
    assert losses["by age"] == pytest.approx(losses["one question"], abs=0.01)


@pytest.mark.parametrize("answer", ["nobody", 1.0])
def test_an_answer_of_another_kind_is_refused(answer: object) -> None:
    with pytest.raises(InvalidInput, match="what 'odd' answers"):
        class_rule.judged(
            rows(0), rows(1), ("age",), CLASSES, {"odd": lambda frame: [answer] * len(frame)}
        )
