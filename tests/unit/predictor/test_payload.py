"""What a request may say beside the model's columns: how often its rows stand, and their choice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from driftloop.services.predictor import payload
from driftloop.spec.features import Features
from driftloop_contracts.errors import InvalidInput

CHOICE = ("propensity", "propensity_clicks")
FEATURES = Features.model_validate(
    {
        "service": "s",
        "entities": ["who"],
        "columns": [{"name": "price", "kind": "numeric", "origin": "request"}],
    }
)
ROW = {"who": 1, "price": 2.5}


@dataclass
class Tensor:
    """A column of a V2 request."""

    name: str
    values: list[Any]

    @property
    def shape(self) -> list[int]:
        return [len(self.values)]

    def as_numpy(self) -> Any:
        return np.array(self.values)


def v1(*rows: dict[str, Any], choice: tuple[str, ...] = CHOICE) -> Any:
    return payload.from_v1({"instances": list(rows)}, FEATURES, choice)


def test_a_choice_is_optional_and_may_be_of_some_rows_only() -> None:
    assert v1(ROW)[list(CHOICE)].isna().all(axis=None)
    chosen = ROW | {"propensity": 0.25, "propensity_clicks": 0}
    found = v1(chosen, ROW | dict.fromkeys(CHOICE))
    assert found["propensity"].tolist()[0] == 0.25
    assert math.isnan(found["propensity"].tolist()[1])
    assert found["propensity_clicks"].tolist()[0] == 0


def test_v2_says_it_as_a_tensor() -> None:
    own = [Tensor(name, [value, value]) for name, value in ROW.items()]
    found = payload.from_v2([*own, Tensor("propensity", [0.5, math.nan])], FEATURES, CHOICE)
    assert found["propensity"].tolist()[0] == 0.5
    assert math.isnan(found["propensity"].tolist()[1])
    assert found["propensity_clicks"].isna().all()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("propensity", 0, "from 1e-06 to 1"),
        ("propensity", 5e-324, "from 1e-06 to 1"),
        ("propensity", 1.5, "from 1e-06 to 1"),
        ("propensity_clicks", -0.1, "from 0 to 1"),
        ("propensity", "often", "numbers or null"),
        ("propensity", math.inf, "finite numbers or null"),
        ("weight", 0.5, "numbers from 1"),
    ],
)
def test_what_is_no_probability_is_refused(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(InvalidInput, match=f"column '{name}'.*{allowed}"):
        v1(ROW | {name: value})


def test_a_choice_that_nobody_logs_is_passed_over() -> None:
    """Callers do not know which bundle answers, or what its loop named when it was trained."""
    found = v1(ROW | {"propensity": 0.5, "propensity_by_rank": "x"}, choice=())
    assert [*found] == ["who", "price", "weight"]
    tensors = [Tensor(name, [value]) for name, value in ROW.items()]
    found = payload.from_v2([*tensors, Tensor("propensity_by_rank", [0.5])], FEATURES, ())
    assert [*found] == ["who", "price", "weight"]
    with pytest.raises(InvalidInput, match="column 'propensities'"):
        v1(ROW | {"propensities": 0.5})


@pytest.mark.parametrize("name", ["weight", "propensity"])
def test_what_only_some_rows_say_is_refused_not_dropped(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"column '{name}'.*every instance"):
        v1(ROW, ROW | {name: 1})
