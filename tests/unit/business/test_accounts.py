"""The accounts of a period: sums that add up, intervals that cover, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from business_case import business, objective, served
from scipy import stats

from driftloop.business import accounts
from driftloop.evaluation import numbers
from driftloop_contracts.errors import InvalidInput

SEEDS = 80


def test_a_period_adds_up(rng: np.random.Generator) -> None:
    rows = served(1, days=75)
    spent = pd.DataFrame(
        {
            "event_time": pd.to_datetime(["2026-01-02", "2026-01-31", "2026-02-05"], utc=True),
            "trainings": [2, 0, 1],
            "predictions": [10_000, 0, 0],
            "labels": [0, 50, 0],
        }
    )
    found = accounts.periods(rows, objective(), business(), rng, entity="query_id", spent=spent)
    assert [period.number for period in found] == [1, 2, 3]
    assert [period.complete for period in found] == [True, True, False]
    first = found[0]
    mine = rows[rows["event_time"] < first.end]
    assert first.end == datetime(2026, 1, 31, tzinfo=UTC)
    assert first.rows == len(mine)
    revenue = 0.5 * mine["clicked"].sum() + 0.001 * mine["weight"].sum()
    assert first.revenue.value == pytest.approx(revenue)
    assert (first.compute_cost, first.labelling_cost) == (2 * 2 + 10 * 0.1, 0.0)
    assert (found[1].compute_cost, found[1].labelling_cost) == (2.0, 10.0)
    assert first.profit.value == pytest.approx(revenue - 5)
    assert first.profit.error == first.revenue.error > 0
    assert first.kpi.value == pytest.approx(mine["clicked"].sum() / mine["weight"].sum())
    told = first.to_data(0.95)
    assert told["kpi"]["low"] < told["kpi"]["value"] < told["kpi"]["high"]
    assert told["satisfaction"] is None
    assert first.kpi.groups == mine["query_id"].nunique()


def test_without_a_word_on_spending_each_row_is_a_prediction(rng: np.random.Generator) -> None:
    found = accounts.periods(served(1), objective(), business(), rng, entity="query_id")
    assert found[0].compute_cost == pytest.approx(3000 * 0.1 / 1000)


def test_a_formula_may_use_what_cohorts_have(rng: np.random.Generator) -> None:
    rows = served(2)
    gain = objective(kpi={"formula": "1 - log_loss / base_entropy"})
    terms = business(satisfaction="won / impressions - revenue / rows")
    found = accounts.periods(rows, gain, terms, rng, entity="query_id")[0]
    cohort = numbers.score(rows["prediction"], rows["clicked"], rows["weight"]).values()
    assert found.kpi.value == pytest.approx(1 - cohort["log_loss"] / cohort["base_entropy"])
    assert found.satisfaction is not None
    expected = rows["won"].sum() / rows["weight"].sum() - found.revenue.value / len(rows)
    assert found.satisfaction.value == pytest.approx(expected)


def test_the_same_traffic_under_two_objectives_has_other_positives_and_kpi(
    rng: np.random.Generator,
) -> None:
    rows = served(3)
    won = objective("impressions", "won", kpi={"formula": "positives / impressions"})
    click = objective("click", "clicked", kpi={"formula": "positives / impressions"})
    both = [
        accounts.periods(rows, one, business(), rng, entity="query_id")[0] for one in (won, click)
    ]
    assert [one.positives for one in both] == [rows["won"].sum(), rows["clicked"].sum()]
    assert both[0].kpi.value > 3 * both[1].kpi.value
    assert both[0].revenue.value == both[1].revenue.value


@pytest.mark.parametrize("resample", ["entity", "days"])
def test_95_percent_intervals_cover(resample: str) -> None:
    """Of the KPI, of revenue per row by price columns that are skewed, over seeds."""
    terms = business(prices={"paid": "1 EUR"}, satisfaction="revenue / rows", resample=resample)
    truth_kpi, truth_paid, hit = 0.1, 2 * 0.1 * np.exp(-1 + 0.8**2 / 2), {"kpi": 0, "paid": 0}
    for seed in range(SEEDS):
        # Days are independent here only where entities are many.
        rows = served(seed, entities=200 if resample == "entity" else 100_000, rows=1500)
        found = accounts.periods(
            rows, objective(), terms, np.random.default_rng(seed), entity="query_id"
        )[0]
        assert found.satisfaction is not None
        low, _, high = found.kpi.interval(0.95)
        hit["kpi"] += low <= truth_kpi <= high
        low, _, high = found.satisfaction.interval(0.95)
        hit["paid"] += low <= truth_paid <= high
    least = stats.binom.ppf(0.001, SEEDS, 0.93)
    assert hit["kpi"] >= least
    assert hit["paid"] >= least
    assert found.kpi.error < 0.02


def test_entities_that_differ_for_good_widen_the_interval() -> None:
    rows = served(5, entities=30)
    by_entity = accounts.periods(
        rows, objective(), business(), np.random.default_rng(0), entity="query_id"
    )
    alone = rows.assign(query_id=np.arange(len(rows)))
    by_row = accounts.periods(
        alone, objective(), business(), np.random.default_rng(0), entity="query_id"
    )
    assert by_entity[0].kpi.error > 1.5 * by_row[0].kpi.error


def test_the_same_seed_gives_the_same_accounts() -> None:
    both = [
        accounts.periods(
            served(5), objective(), business(), np.random.default_rng(0), entity="query_id"
        )
        for _ in range(2)
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop(columns="weight"), "column 'weight' in the served rows must be present"),
        (lambda f: f.drop(columns="query_id"), "column 'query_id'"),
        (lambda f: f.drop(columns="clicked"), "column 'positives'"),
        (lambda f: f.assign(clicked=f["clicked"].where(f.index > 2)), "a finite number in each"),
        (lambda f: f.assign(clicked=f["weight"] + 1), "from 0 to the weight"),
        (lambda f: f.assign(weight=0.0), "from 0 to the weight"),
        (lambda f: f.iloc[:0], "at least one with a mature outcome"),
        (lambda f: f.assign(event_time=f["event_time"].dt.tz_localize(None)), "with their zone"),
    ],
)
def test_rows_that_cannot_be_used_are_refused(change: Any, said: str, rng: Any) -> None:
    with pytest.raises(InvalidInput, match=said):
        accounts.periods(
            change(served(1, rows=50)), objective(), business(), rng, entity="query_id"
        )


@pytest.mark.parametrize("formula", ["clicked /", "__import__('os')", "clicked ** 2", "nonsense"])
def test_a_formula_that_is_none_is_refused(formula: str, rng: np.random.Generator) -> None:
    with pytest.raises(InvalidInput):
        accounts.periods(
            served(1, rows=50), objective(kpi={"formula": formula}), business(), rng,
            entity="query_id",
        )  # fmt: skip


def test_what_was_spent_is_counts(rng: np.random.Generator) -> None:
    spent = served(1, rows=5)[["event_time"]].assign(trainings=-1.0)
    with pytest.raises(InvalidInput, match="a count in each"):
        accounts.periods(served(1), objective(), business(), rng, entity="query_id", spent=spent)
