"""What sends a loop back comes from a pipeline's step to the controller, through the verdict."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from driftloop.resources import retraining as retrainings
from driftloop.resources.models import RetrainingStatus
from driftloop.stages.rules import RULES
from driftloop.training import carried, outcome
from driftloop.training.outcome import Outcome
from driftloop_contracts.errors import InvalidInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ERRORS = RULES["label_errors"].returned("3 of 100 labels are wrong.")
RARE = RULES["few_positives"].returned("4 positives in 1,000 rows.")


def verdict(**more: Any) -> bytes:
    record = {"verdict": "hold", "version": "v2", "data_end": "2026-01-01T00:00:00Z"}
    return json.dumps(record | {"reasons": ["Few."]} | more).encode()


def test_each_step_hands_on_what_those_before_it_found() -> None:
    valid = carried.onward({"rows": 9, "returned": [ERRORS.to_data()]}, {"rows": 10})
    trained = carried.onward({"scores": {}, "returned": [RARE.to_data()]}, valid)
    packed = carried.onward({"version": "v2"}, {**trained, **carried.onward({}, trained)})
    assert packed == {"version": "v2", "returned": [ERRORS.to_data(), RARE.to_data()]}
    assert outcome.read(verdict(**packed)).returned == (ERRORS, RARE)


def test_a_verdict_of_before_has_none() -> None:
    assert outcome.read(verdict()).returned == ()


def test_a_verdict_says_what_it_judged_by_and_the_rows_that_tell() -> None:
    found = outcome.read(verdict(cause="drift+growth", needed=4000))
    assert (found.cause, found.needed) == ("drift+growth", 4000)
    assert (outcome.read(verdict()).cause, outcome.read(verdict(needed=-3)).needed) == ("", 0)


@pytest.mark.parametrize("wrong", ["many", None, float("inf")])
def test_rows_that_are_no_number_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        outcome.read(verdict(needed=wrong))


def test_a_step_that_stops_the_run_may_say_why() -> None:
    found = outcome.read(verdict(verdict="failed", data_end=None, returned=[RARE.to_data()]))
    assert (found.verdict, found.data_end, found.returned) == ("failed", None, (RARE,))


@pytest.mark.parametrize("wrong", ["text", [1], [{"from": "x"}], {"a": 1}])
def test_what_is_no_list_of_returns_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        outcome.read(verdict(returned=wrong))


def test_they_are_bounded() -> None:
    many = [RULES["label_errors"].returned(str(number)).to_data() for number in range(50)]
    assert len(carried.onward({"returned": many})["returned"]) == carried.MOST


def test_a_retrainings_status_keeps_them() -> None:
    ended = Outcome("hold", "v2", NOW, ("Few.",), None, (ERRORS, RARE))
    status = retrainings.ended(ended, {"metadata": {}}, NOW)
    RetrainingStatus.model_validate(status)
    found = retrainings.outcome(status)
    assert found
    assert found.returned == (ERRORS, RARE)
    without = {name: value for name, value in status.items() if name != "returned"}
    assert retrainings.outcome(without).returned == ()


def test_warnings_go_on_once_the_earlier_ones_first() -> None:
    before, own = (
        {"warnings": ["A day is missing."]},
        {"warnings": ["Too old.", "A day is missing."]},
    )
    assert carried.onward(own, before)["warnings"] == ["A day is missing.", "Too old."]
    assert carried.onward({"rows": 3}, before) == {"rows": 3, **before}
    with pytest.raises(InvalidInput, match="a list of sentences"):
        carried.onward({"warnings": "Too old."})
