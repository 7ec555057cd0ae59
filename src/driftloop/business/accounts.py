"""Accounts: what each period earned and cost, its KPI and satisfaction, each with its error.

Rows are served predictions whose outcome is mature. Sums are drawn again over entities, or over
blocks of days, because the rows of one rise and fall together; a KPI is a ratio of such sums. What
was spent is counted, not estimated, so it has no error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from driftloop import instants
from driftloop.business import measured
from driftloop.business.measured import Floats, Measured
from driftloop.evaluation import kpi, loss
from driftloop.evaluation.difference import Estimate, Resampled, resample
from driftloop.labels import outcomes
from driftloop.spec.business import Business
from driftloop.spec.objective import Objective
from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

WHERE = "the served rows"
IMPRESSION = "impression"
"""The price of a row's weight; every other price is of the column of its name."""
SPENT = ("trainings", "predictions", "labels")
"""Columns of what was spent on, beside its event_time."""
RESAMPLES = 1000


@dataclass(frozen=True)
class Period:
    """The accounts of [start, end), the ``number``-th since the objective is in force, from 1.

    ``complete``: whether all its outcomes are known, so that a review may judge it; ``positives``:
    outcomes of the objective's label; money in the currency of ``business.prices``; ``coverage``:
    share of its mature rows whose outcome is known, as far as that can be told; ``reported``: by
    label, the share of them that has a report (missing.py).
    """

    number: int
    start: datetime
    end: datetime
    complete: bool
    rows: int
    impressions: float
    positives: float
    kpi: Measured
    satisfaction: Measured | None
    revenue: Measured
    compute_cost: float
    labelling_cost: float
    coverage: float = 1.0
    reported: Mapping[str, float] = field(default_factory=dict)

    @property
    def profit(self) -> Measured:
        """Return what is left of the revenue."""
        return self.revenue.scaled(1.0, -self.compute_cost - self.labelling_cost)

    @property
    def whole_profit(self) -> Measured:
        """Return the profit as if rows without an outcome had earned like those with one."""
        factor = 1 / self.coverage if self.coverage else 1.0
        return self.revenue.scaled(factor, -self.compute_cost - self.labelling_cost)

    def to_data(self, confidence: float) -> dict[str, Any]:
        """Return the accounts, JSON-ready; numbers between bounds of ``confidence``."""
        money = {"revenue": self.revenue, "profit": self.profit}
        measures = {"kpi": self.kpi, "satisfaction": self.satisfaction, **money}
        return {
            "number": self.number,
            "start": times.to_text(self.start),
            "end": times.to_text(self.end),
            "complete": self.complete,
            "rows": self.rows,
            "impressions": self.impressions,
            "positives": self.positives,
            "compute_cost": self.compute_cost,
            "labelling_cost": self.labelling_cost,
            "coverage": self.coverage,
            "reported": dict(self.reported),
        } | {name: one.to_data(confidence) if one else None for name, one in measures.items()}


def periods(
    rows: pd.DataFrame,
    objective: Objective,
    business: Business,
    rng: np.random.Generator,
    *,
    entity: str,
    spent: pd.DataFrame | None = None,
    anchor: datetime | None = None,
    known: datetime | None = None,
) -> list[Period]:
    """Return the accounts of each period that has rows, in order.

    ``rows``: event_time (UTC), weight (impressions, at least 1), the column of the objective's
    label or else ``positives`` (0 to weight), ``prediction`` where the KPI or satisfaction needs
    it, ``entity`` and the columns that prices and formulas name (amounts a row, summed); ``spent``:
    event_time and any of trainings, predictions, labels (counts), by default one prediction a row;
    ``anchor``: when the first period begins, by default the first row's day; ``known``: until when
    outcomes are mature, by default to the end of the last row's day. Raise InvalidInput for a
    column that is missing or has a value missing.
    """
    frame, wanted = _checked(rows, objective, business, entity), business.period
    origin = pd.Timestamp(anchor or frame["event_time"].min().floor("D"))
    until = pd.Timestamp(known or frame["event_time"].max().floor("D") + pd.Timedelta("1d"))
    costs = _costs(frame if spent is None else spent, business, spent is None)
    place = (frame["event_time"] - origin) // wanted
    spent_place = (costs["event_time"] - origin) // wanted
    found = []
    for number, part in frame.groupby(place[place >= 0], sort=True):
        start = origin + int(number) * wanted
        draws, groups = _resampled(part, objective, business, entity, rng)
        figures = _figures(draws, groups, objective, business)
        mine = costs[spent_place == number]
        found.append(
            Period(
                number=int(number) + 1,
                start=start.to_pydatetime(),
                end=(start + wanted).to_pydatetime(),
                complete=bool(start + wanted <= until and len(part)),
                rows=len(part),
                impressions=float(part["weight"].sum()),
                positives=float(part["positives"].sum()),
                compute_cost=float(mine["compute"].sum()),
                labelling_cost=float(mine["labelling"].sum()),
                **figures,
            )
        )
    return found


def revenue(rows: pd.DataFrame, business: Business) -> pd.Series[float]:
    """Return what each row brings: ``business.prices`` times its columns."""
    found = pd.Series(0.0, rows.index)
    for name, price in business.prices.items():
        found += price.value * rows["weight" if name == IMPRESSION else name]
    return found


def _checked(
    rows: pd.DataFrame, objective: Objective, business: Business, entity: str
) -> pd.DataFrame:
    """Return the rows with ``positives`` of the objective's label and ``impression``."""
    label = objective.label if objective.label in rows else "positives"
    named = _named(rows, objective, business)
    outcomes.require(rows, ("event_time", "weight", label, entity, *named), WHERE)
    if rows.empty:
        raise InvalidInput("rows", WHERE, "at least one with a mature outcome", "none")
    moments = instants.column(rows, "event_time", WHERE)
    frame = rows.assign(event_time=moments, positives=rows[label], impression=rows["weight"])
    for name in ("weight", "positives", *named):
        values = outcomes.numbers(frame[name])
        if not np.isfinite(values).all():
            place = int(np.argmin(np.isfinite(values)))
            got = frame[name].iloc[place]
            raise InvalidInput(f"column '{name}'", WHERE, "a finite number in each", got)
        frame[name] = values
    if frame["event_time"].isna().any():
        raise InvalidInput("column 'event_time'", WHERE, "a time in each", "none in one")
    weight, positives = frame["weight"], frame["positives"]
    if not ((weight > 0) & (positives >= 0) & (positives <= weight)).all():
        raise InvalidInput("outcomes", WHERE, "from 0 to the weight, which is above 0", "others")
    return frame


GIVEN = {"rows", "impressions", "positives", "rate", "revenue", "impression"}
"""Names that a formula may use beside the rows' columns; those of predictions come with them."""
PREDICTED = {"mean_prediction", "log_loss", "base_entropy"}


def _named(rows: pd.DataFrame, objective: Objective, business: Business) -> list[str]:
    """Return the columns that prices and formulas need."""
    used = kpi.names(objective.kpi.formula) | kpi.names(business.satisfaction)
    columns = (used | business.prices.keys()) - GIVEN - PREDICTED
    if used & (PREDICTED - {"base_entropy"}) or "prediction" in rows:
        columns.add("prediction")
    return sorted(columns)


def _resampled(
    part: pd.DataFrame,
    objective: Objective,
    business: Business,
    entity: str,
    rng: np.random.Generator,
) -> tuple[Resampled, int]:
    """Return the period's sums as its entities, or its blocks of days, come and stay away."""
    summed = [name for name in _named(part, objective, business) if name != "prediction"]
    columns = {name: part[name] for name in (*summed, "impression", "positives")}
    columns |= {"rows": pd.Series(1.0, part.index)}
    if "prediction" in part:
        p, k, n = (part[name] for name in ("prediction", "positives", "weight"))
        columns |= {"predicted": p * n, "lost": pd.Series(loss.log_loss(p, k, n), part.index)}
    group = part[entity]
    if business.resample == "days":
        group = part["event_time"].dt.floor(business.block)
    return resample(columns, group, RESAMPLES, rng), int(group.nunique(dropna=False))


def _figures(
    draws: Resampled, groups: int, objective: Objective, business: Business
) -> dict[str, Any]:
    values = _values(draws, business)
    satisfaction = business.satisfaction
    return {
        "kpi": _measured(objective.kpi.formula, values, groups),
        "satisfaction": _measured(satisfaction, values, groups) if satisfaction else None,
        "revenue": _measured("revenue", values, groups),
    }


def _values(draws: Resampled, business: Business) -> dict[str, Floats]:
    """Return the names that a formula may use, each [1 + resamples]."""
    values = {name: draws.of(name) for name in draws.names}
    values["impressions"] = draws.of(IMPRESSION)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = values["rate"] = values["positives"] / values["impressions"]
        values["base_entropy"] = loss.entropy(rate)
        if "predicted" in draws.names:
            values["mean_prediction"] = draws.of("predicted") / values["impressions"]
            values["log_loss"] = draws.of("lost") / values["impressions"]
    values["revenue"] = sum(
        (price.value * draws.of(name) for name, price in business.prices.items()),
        np.zeros(len(rate)),
    )
    return values


def _measured(formula: str, values: dict[str, Floats], groups: int) -> Measured:
    found = kpi.evaluate_each(formula, values)
    return measured.of_draws(Estimate(float(found[0]), found[1:]), groups)


def _costs(spent: pd.DataFrame, business: Business, is_served: bool) -> pd.DataFrame:
    """Return what was spent at each time on compute and on labelling."""
    where, costs = "what was spent", business.costs
    outcomes.require(spent, ("event_time",), where)
    counts = {name: pd.Series(0.0, spent.index) for name in SPENT}
    counts |= (
        dict(_counted(spent, where)) if not is_served else {"predictions": counts[SPENT[0]] + 1}
    )
    prices = (costs.training, costs.thousand_predictions, costs.label)
    training, thousand, label = (price.value if price else 0.0 for price in prices)
    compute = counts["trainings"] * training + counts["predictions"] * thousand / 1000
    return pd.DataFrame(
        {
            "event_time": instants.column(spent, "event_time", where),
            "compute": compute,
            "labelling": counts["labels"] * label,
        }
    )


def _counted(spent: pd.DataFrame, where: str) -> Iterator[tuple[str, pd.Series[float]]]:
    for name in SPENT:
        if name in spent:
            values = outcomes.numbers(spent[name])
            if not (np.isfinite(values) & (values >= 0)).all():
                raise InvalidInput(f"column '{name}'", where, "a count in each", "another")
            yield name, values
