"""Nothing known later is used: the future may be anything, and the past stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

DAY = "2012-04-08"
SPAN = ("--from", "2012-04-01", "--to", "2012-04-12", "--no-compare")


def test_predictions_up_to_a_day_ignore_its_outcomes_and_later_ones(
    turn: Callable, adwords: Path, tmp_path: Path
) -> None:
    log = pd.read_csv(adwords)
    log = log[log["date"] <= "2012-04-12"]
    later = log["date"] >= DAY
    rng = np.random.default_rng(0)
    log.to_csv(tmp_path / "as_it_was.csv", index=False)
    shuffled = np.minimum(rng.permutation(log.loc[later, "clicks"]), log.loc[later, "impressions"])
    log.loc[later, "clicks"] = shuffled
    log.to_csv(tmp_path / "permuted.csv", index=False)

    was, permuted = (
        pd.read_parquet(
            turn("--data", str(tmp_path / f"{name}.csv"), *SPAN).out / "predictions.parquet"
        )
        for name in ("as_it_was", "permuted")
    )

    until = was["event_time"] <= pd.Timestamp(DAY, tz="UTC")
    assert until.sum() > 3000
    before, after = (run.loc[until, "probability"].to_numpy() for run in (was, permuted))
    assert before.tobytes() == after.tobytes()
    assert not was.loc[~until, "probability"].equals(permuted.loc[~until, "probability"])
