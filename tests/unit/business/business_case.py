"""Objectives, terms and served rows that the tests of the business share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from driftloop.spec.business import Business
from driftloop.spec.objective import Objective

CTR = {"name": "ctr", "formula": "clicked / impressions", "unit": "ratio"}


def objective(name: str = "click", label: str = "clicked", **changes: Any) -> Objective:
    kpi = CTR | changes.pop("kpi", {})
    given = {"name": name, "label": label, "metric": "log_loss", "direction": "minimize"}
    return Objective.model_validate(given | {"kpi": kpi} | changes)


def business(**changes: Any) -> Business:
    given = {
        "period": "30d",
        "prices": {"clicked": "0.5 EUR", "impression": "0.001 EUR"},
        "costs": {"training": "2 EUR", "thousandPredictions": "0.1 EUR", "label": "0.2 EUR"},
    }
    return Business.model_validate(given | changes)


def served(
    seed: int, rate: float = 0.1, entities: int = 200, rows: int = 3000, days: int = 30
) -> pd.DataFrame:
    """Rows of entities whose rates differ for good, and of days that differ as well."""
    rng = np.random.default_rng(seed)
    of = rng.integers(0, entities, rows)
    own = rng.beta(20 * rate, 20 * (1 - rate), entities)
    begin = pd.Timestamp("2026-01-01", tz="UTC")
    seconds = np.sort(rng.uniform(0, days * 86_400, rows))
    times = begin + pd.to_timedelta(seconds, unit="s")
    weight = rng.integers(1, 4, rows).astype(float)
    clicked = rng.binomial(weight.astype(int), own[of]).astype(float)
    won = np.minimum(weight, clicked + rng.binomial(weight.astype(int), 0.4))
    return pd.DataFrame(
        {
            "event_time": pd.DatetimeIndex(times).as_unit("us"),
            "query_id": of,
            "weight": weight,
            "clicked": clicked,
            "won": won,
            "paid": clicked * rng.lognormal(-1, 0.8, rows),
            "prediction": np.clip(own[of] + rng.normal(0, 0.01, rows), 0.001, 0.999),
        }
    )
