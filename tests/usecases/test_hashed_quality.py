"""On the ads' simulator the model on hashed categories is about as good as the one in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftloop import usecase
from driftloop.training import fit
from driftloop.usecase import Span, UseCase

ROOT = Path(__file__).parents[2]
WITHIN = 0.01
"""Relative log loss; a single window can be off by as much in either direction."""


def windows(case: UseCase, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return 30 days to fit and the 8 days that follow, before the simulator changes anything."""
    stream = case.read(Span(seed=seed))
    known = stream.outcomes.drop_duplicates("row_id", keep="last").set_index("row_id")["positives"]
    rows = stream.requests.assign(positives=known.reindex(stream.requests["row_id"]).to_numpy())
    # Without looked-up features: they take longer to compute than both fits.
    rows = rows.assign(
        **{c.name: np.nan for c in case.loop.spec.features.columns if c.origin != "request"}
    )
    day = (rows["event_time"] - rows["event_time"].iloc[0]) / pd.Timedelta(days=1)
    return rows[day < 30], rows[(day >= 30) & (day < 38)]


def test_the_loss_is_within_a_percent_of_the_logistic_models() -> None:
    case = usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    ratios = []
    for seed in (1, 2):
        early, late = windows(case, seed)
        hashed, logistic = (
            fit.score(case, fit.fit(case, name, early), late)
            for name in ("hashed_linear", "logistic")
        )
        ratios.append(hashed / logistic - 1)
    assert np.mean(ratios) == pytest.approx(0.0, abs=WITHIN)
    assert max(ratios) < WITHIN
