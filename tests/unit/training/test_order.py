"""Orders: the pipeline's one parameter, written by the controller or by a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from driftloop.training import order
from driftloop.training.order import Order
from driftloop_contracts.errors import InvalidInput

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_order_survives_its_text() -> None:
    week = timedelta(days=7)
    quarantine, spec = ((NOW - week, NOW),), {"paused": False}
    full = Order("ads-ctr", 3, NOW, "drift", "2-abc", NOW - week, quarantine, spec, "tape")
    assert order.parse("ads-ctr", full.to_json(), NOW + week) == full


def test_an_order_without_a_source_is_as_it_ever_was() -> None:
    assert "source" not in json.loads(Order("ads-ctr", 1, NOW).to_json())
    assert order.parse("ads-ctr", '{"number": 1}', NOW).source == ""


def test_what_a_person_leaves_out_is_a_manual_retraining_now() -> None:
    assert order.parse("ads-ctr", "", NOW) == Order("ads-ctr", 0, NOW)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "7", '{"cutof": "x"}', '{"cutoff": "today"}', '{"number": "x"}',
     '{"quarantine": [1]}', '{"number": null}'],
)  # fmt: skip
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="order"):
        order.parse("ads-ctr", text, NOW)
