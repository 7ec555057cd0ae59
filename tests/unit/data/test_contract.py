"""Contracts: what keeps them, what is set aside, and what sends the loop back."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from driftloop import loop
from driftloop.data import contract as contracts
from driftloop.spec.contract import Contract
from driftloop_contracts.errors import InvalidInput

NOW = pd.Timestamp("2026-02-01T06:00:00Z").to_pydatetime()


def test_sound_rows_keep_every_promise(clicks: Any, ads: Any, contract: Contract) -> None:
    found = contracts.check(clicks, contract, NOW, "clicks", {"ads": ads})
    assert found.broken == ()
    assert found.returned() is None
    assert len(found.good) == len(clicks)
    assert {one.rule for one in found.findings} == {
        "bad_rows", "missing", "freshness", "volume", "refers",
    }  # fmt: skip
    json.dumps(found.to_data(), allow_nan=False)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("ad", -1, "ad below 0"),
        ("price", 11.0, "price above 10"),
        ("price", float("inf"), "price is no number"),
        ("price", "cheap", "price is no number"),
        ("device", "fridge", "device is none of its values"),
        ("click", 8, "the key click is there twice"),
        ("event_time", pd.Timestamp("2026-02-01T06:00:01Z"), "event_time later than now"),
    ],
)
def test_a_bad_row_is_set_aside_with_its_reason(
    clicks: Any, contract: Contract, column: str, value: Any, reason: str
) -> None:
    if isinstance(value, str) and column == "price":
        clicks[column] = clicks[column].astype(object)
    clicks.loc[9, column] = value
    found = contracts.check(clicks.set_index(clicks.index + 5), contract, NOW)
    assert found.rejected["reason"].to_dict() == {14: reason}
    assert len(found.good) == len(clicks) - 1
    assert found.returned() is None


def test_many_bad_rows_break_it(clicks: Any, contract: Contract) -> None:
    clicks.loc[:40, "ad"] = -1
    back = contracts.check(clicks, contract, NOW, "clicks").returned()
    assert back is not None
    assert (back.rule, back.source.value, back.target.value) == (
        "contract_broken", "data_engineering", "scoping",
    )  # fmt: skip
    assert "41 are set aside (1.37%), mostly: ad below 0; 1.00% are allowed" in back.reason


def test_each_other_promise_can_break(clicks: Any, ads: Any, contract: Contract) -> None:
    def broken(frame: pd.DataFrame, now: Any = NOW, others: Any = None) -> set[tuple[str, str]]:
        found = contracts.check(frame, contract, now, "clicks", others or {"ads": ads})
        return {(one.rule, one.column) for one in found.broken}

    late = NOW + timedelta(days=2)
    assert broken(clicks, late) == {("freshness", ""), ("volume", "")}
    thinned = clicks[(clicks["event_time"] < "2026-01-31") | (clicks["click"] % 3 == 0)]
    assert broken(thinned) == {("volume", "")}
    some = clicks.assign(price=clicks["price"].where(clicks["click"] % 10 > 0))
    assert broken(some) == {("missing", "price")}
    assert broken(clicks.drop(columns="device")) == {("column", "device")}
    assert broken(clicks, others={"ads": ads[:15]}) == {("refers", "ad")}
    assert broken(clicks[:0]) == {("rows", "")}
    naive = clicks.assign(event_time=clicks["event_time"].dt.tz_localize(None))
    assert broken(naive) == {("bad_rows", "")}


def test_keys_of_other_types_are_told(clicks: Any, ads: Any, contract: Contract) -> None:
    found = contracts.check(clicks, contract, NOW, "clicks", {"ads": ads.astype(str)})
    assert "Their types differ: int64 and object." in found.broken[0].sentence


def test_all_sources_are_checked_and_one_without_rows_is_told(
    content: dict[str, Any], promised: dict[str, Any], clicks: Any
) -> None:
    ads = {"columns": [{"name": "id", "kind": "numeric"}]}
    parts = [{"name": "clicks", "warmUp": "1d", "contract": promised}]
    parts += [{"name": "ads", "warmUp": "1d", "contract": ads}]
    declared = loop.parse(_with_sources(content, parts), "loop.yaml")
    found = contracts.check_all({"clicks": clicks}, declared.spec.data, NOW)
    assert {name: len(one.broken) for name, one in found.items()} == {"clicks": 0, "ads": 1}


def test_a_reference_to_nowhere_is_refused(
    content: dict[str, Any], promised: dict[str, Any]
) -> None:
    parts = [{"name": "clicks", "warmUp": "1d", "contract": promised}]
    with pytest.raises(InvalidInput, match="refers to sources"):
        loop.parse(_with_sources(content, parts), "loop.yaml")


@pytest.mark.parametrize(
    "change",
    [
        {"key": ["nothing"]},
        {"time": "nothing"},
        {"columns": [{"name": "a", "kind": "numeric", "range": [2, 1]}]},
        {"columns": [{"name": "a", "kind": "categorical", "range": [1, 2]}]},
        {"columns": [{"name": "a", "kind": "numeric", "values": ["x"]}]},
        {"freshness": "3"},
        {"volume": {"factor": 1}},
        {"unknown": 1},
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(
    promised: dict[str, Any], change: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        Contract.model_validate(promised | change)


def _with_sources(content: dict[str, Any], sources: list[dict[str, Any]]) -> dict[str, Any]:
    spec = content["spec"]
    return content | {"spec": spec | {"data": spec["data"] | {"sources": sources}}}
