"""What is done where a looked-up value may not be used."""

from __future__ import annotations

from typing import Any

import pytest

from driftloop.features import absence
from driftloop.features.found import Found
from driftloop.features.status import Status
from driftloop.spec.features import Column
from driftloop_contracts.errors import InvalidInput

FOUND = Found(
    values={"rate": [0.5, None, None], "city": ["Ulm", None, None]},
    times={"stats": [5, None, None], "places": [5, None, None]},
    statuses={
        "stats": [Status.PRESENT, Status.EXPIRED, Status.MISSING],
        "places": [Status.PRESENT] * 3,
    },
)


def column(**settings: Any) -> Column:
    return Column(**{"name": "rate", "kind": "numeric", "origin": "stats"} | settings)


def test_a_value_that_is_not_there_is_flagged() -> None:
    values, flags = absence.filled(FOUND, [column()])
    assert values["rate"] == [0.5, None, None]
    assert flags == [[], ["rate"], ["rate"]]


def test_a_default_takes_its_place_and_is_flagged_too() -> None:
    values, flags = absence.filled(FOUND, [column(if_absent="default", default=0.1)])
    assert values["rate"] == [0.5, 0.1, 0.1]
    assert flags == [[], ["rate"], ["rate"]]
    assert FOUND.values["rate"] == [0.5, None, None]


def test_a_null_that_a_view_holds_is_a_value() -> None:
    place = column(
        name="city", origin="places", kind="categorical", if_absent="default", default="?"
    )
    values, flags = absence.filled(FOUND, [place])
    assert values["city"] == ["Ulm", None, None]
    assert flags == [[], [], []]


def test_a_loop_may_refuse_to_predict_without_it() -> None:
    sentence = (
        "feature 'rate' in feature view 'stats' for instance 1 of the request must be present. "
        "Got 'expired'."
    )
    with pytest.raises(InvalidInput) as refused:
        absence.filled(FOUND, [column(if_absent="reject")])
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"if_absent": "default"}, "if, and only if"),
        ({"default": 1.0}, "if, and only if"),
        ({"if_absent": "default", "default": "none"}, "numeric"),
        ({"origin": "request", "if_absent": "reject"}, "a column of a view"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        column(**settings)
