"""The whole of scoping on rows that are known: verdicts, the return, the page and the table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from driftloop import loop
from driftloop.loop import LearningLoop
from driftloop.report import scope_page, scope_table
from driftloop.scoping import inventory, scope
from driftloop.scoping.sample_run import SampleRun
from driftloop.scoping.scope import Scope

RATE = {"boots": 0.05, "maps": 0.35}
DAY = pd.Timestamp("2026-01-01", tz="UTC")
Change = Callable[[dict[str, Any]], None]


def rows(rng: np.random.Generator, size: int = 6000) -> pd.DataFrame:
    """Return rows whose rate depends on their category and, twice as much, on relevance."""
    category = rng.choice(list(RATE), size)
    relevance = rng.normal(size=size)
    odds = np.log([RATE[c] / (1 - RATE[c]) for c in category]) + 1.5 * relevance
    columns = {
        "category": category, "relevance": relevance, "campaign": "all", "position": "1",
        "device": "mobile", "discount": 0.1, "query_ctr_3d": np.nan, "query_ctr_14d": np.nan,
        "query_ctr_28d": np.nan, "ad_ctr_14d": np.nan,
    }  # fmt: skip
    known = {
        "query_id": rng.integers(0, 200, size),
        "event_time": DAY + pd.to_timedelta(np.arange(size), unit="min"),
        "weight": 1.0,
        "positives": (rng.random(size) < 1 / (1 + np.exp(-odds))).astype(float),
        "odds": odds,
    }
    return pd.DataFrame(columns | known)


def sample(early: pd.DataFrame, late: pd.DataFrame, excess: float) -> SampleRun:
    """Return runs of a model that is ``excess`` nats n^-0.5 above the best there can be."""
    k, p = late["positives"], 1 / (1 + np.exp(-late["odds"]))
    best = -(k * np.log(p) + (1 - k) * np.log1p(-p)).to_numpy()
    found, rng = SampleRun(len(early)), np.random.default_rng(0)
    for fraction in (0.05, 0.1, 0.2, 0.4, 0.8):
        for _ in range(2):
            size = round(fraction * len(early))
            loss = best.mean() + excess * size**-0.5 + 0.0005 * rng.normal()
            cost = {"seconds": 0.1 + 1e-4 * size, "memory": 2e8 + 1e4 * size}
            found.runs.append({"rows": size, "loss": loss, "fraction": fraction, **cost})
    found.largest = best + excess * found.largest_rows**-0.5
    return found


@pytest.fixture(scope="module")
def parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    whole = rows(np.random.default_rng(0))
    return whole[:4500], whole[4500:].reset_index(drop=True)


def found_of(
    content: dict[str, Any],
    parts: tuple[pd.DataFrame, pd.DataFrame],
    change: Change,
    excess: float = 1.0,
) -> Scope:
    own = json.loads(json.dumps(content))
    change(own["spec"])
    return scoped(loop.parse(own, "loop.yaml"), parts, excess)


def scoped(
    declared: LearningLoop, parts: tuple[pd.DataFrame, pd.DataFrame], excess: float
) -> Scope:
    whole = pd.concat(parts)
    outcomes = whole[["event_time"]].assign(known_time=whole["event_time"] + pd.Timedelta("1d"))
    data = declared.spec.data
    taken = inventory.take(
        "log", whole, outcomes, whole, freshness=data.freshness, maturity=data.label_maturity,
        now=(whole["event_time"].max() + pd.Timedelta("4d")).to_pydatetime(),
    )  # fmt: skip
    return scope.scope(
        declared, taken, parts, lambda: sample(*parts, excess),
        bottleneck=None, given={}, rng=np.random.default_rng(0),
    )  # fmt: skip


def test_rows_that_a_model_explains_are_for_ml(content, parts) -> None:
    found = found_of(content, parts, lambda spec: spec["charter"].update(target={"kpi": 0.28}))
    assert found.verdict.kind == "ML"
    assert found.gain is not None
    assert found.gain.low > 0.02
    assert found.target == pytest.approx(0.72 * base(parts[1]), rel=1e-6)
    assert found.rules[0].rule.name == "tree of depth 2"


def test_a_target_beyond_the_best_model_is_out_of_reach(content, parts) -> None:
    found = found_of(content, parts, lambda spec: spec["charter"].update(target={"kpi": 0.6}))
    assert (found.verdict.kind, found.verdict.condition) == ("not yet", "out of reach")
    assert found.verdict.returned is not None
    assert found.verdict.returned.to_data()["rule"] == "out_of_reach"


def test_a_target_that_the_rule_reaches_needs_no_ml(content, parts) -> None:
    found = found_of(content, parts, lambda spec: spec["charter"].update(target={"kpi": 0.01}))
    assert found.verdict.condition == "rule reaches the target"


def test_a_cost_above_the_worth_of_the_gain_is_for_a_rule(content, parts) -> None:
    def change(spec: dict[str, Any]) -> None:
        spec["charter"].update(target=None, budget={"cost": "900 per 30d"})
        spec["scoping"]["percentWorth"] = "10 per 30d"

    found = found_of(content, parts, change)
    assert (found.verdict.kind, found.verdict.condition) == ("rule", "not worth its cost")
    assert "90.0%" in found.verdict.reasons[0]


def test_without_a_framing_there_is_no_verdict_yet_but_estimates(content, parts) -> None:
    found = found_of(content, parts, lambda spec: spec.pop("scoping"))
    assert found.verdict.condition == "not framed"
    assert found.estimates is not None


def test_too_few_labels_need_no_sample_run(content, parts) -> None:
    early, late = parts
    found = found_of(content, (early[:200], late[:100]), lambda spec: None)
    assert found.verdict.condition == "too few labels"
    assert found.estimates is None
    assert "300 labelled rows" in found.verdict.reasons[0]


@pytest.mark.parametrize("size", [4500, 200])
def test_page_and_table_tell_the_verdict_and_escape_what_is_said(content, parts, size) -> None:
    odd = "<script>alert(1)</script> [bold]wish[/]"
    early, late = parts[0][:size], parts[1][:size]
    found = found_of(
        content, (early, late), lambda spec: spec["scoping"].update(wish=odd, output=odd)
    )
    page = scope_page.render(found)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert found.verdict.condition in page
    console = Console(record=True, width=200, file=None, quiet=True)
    console.quiet = False
    with console.capture() as printed:
        for part in scope_table.tables(found):
            console.print(part)
    assert odd in printed.get()
    assert f"Verdict: {found.verdict.kind}" in printed.get()
    assert json.loads(json.dumps(found.to_data(), default=str))["loop"] == "ads-ctr"


def test_data_that_are_older_than_promised_are_told(content, parts) -> None:
    found = found_of(content, parts, lambda spec: None).inventory
    assert found.is_fresh is False
    assert found.delay_seconds == (86400.0,) * 3
    assert found.share_labelled == 1.0


def base(late: pd.DataFrame) -> float:
    rate = late["positives"].mean()
    return float(-(rate * np.log(rate) + (1 - rate) * np.log1p(-rate)))
