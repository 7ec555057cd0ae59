"""Volume: steady traffic keeps the budget of false alarms, a real change is seen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.data import volume
from driftloop.spec.contract import Volume

LEVEL = 0.02
LOOKS = 4000
STEADY = {
    "poisson 3": lambda rng: rng.poisson(3, (LOOKS, 29)),
    "poisson 300": lambda rng: rng.poisson(300, (LOOKS, 29)),
    "days that vary by a third": lambda rng: rng.negative_binomial(9, 9 / 309, (LOOKS, 29)),
    "days that vary by two thirds": lambda rng: rng.negative_binomial(2, 2 / 22, (LOOKS, 29)),
}


@pytest.mark.parametrize("name", STEADY)
def test_steady_days_are_surprising_no_oftener_than_the_level(name: str) -> None:
    """Of 4,000 looks each, within three standard errors; factor 1 would be all that is asked."""
    rows = STEADY[name](np.random.default_rng(2))
    false = np.mean([volume.surprise(int(one[-1]), one[:-1]) < LEVEL for one in rows])
    assert false < LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / LOOKS)


@pytest.mark.parametrize(("times", "spread"), [(0.4, 0.1), (2.5, 0.1), (0.0, 0.2)])
def test_a_real_change_is_seen(times: float, spread: float) -> None:
    """In 95 % of 200 sources of 1,000 rows a day whose days vary by ``spread``, once a year."""
    rng, seen = np.random.default_rng(3), 0
    for _ in range(200):
        before = rng.poisson(1000 * np.exp(rng.normal(0, spread, 28)))
        now = int(rng.poisson(1000 * times * np.exp(rng.normal(0, spread))))
        seen += volume.surprise(now, before) < 1 / 365
    assert seen > 190


def times(rows: dict[str, int]) -> pd.Series[Any]:
    return pd.Series(pd.to_datetime([day for day, n in rows.items() for _ in range(n)], utc=True))


def days(last: int) -> dict[str, int]:
    return {f"2026-01-{day:02d}T12:00": 50 for day in range(1, 20)} | {"2026-01-20T12:00": last}


def judged(last: int, now: str = "2026-01-21T01:00Z", **promise: Any) -> Any:
    own = Volume.model_validate(promise)
    return volume.judge(times(days(last)), pd.Timestamp(now), own, "log")


def test_days_of_no_row_count() -> None:
    found = judged(0)
    assert found.broken
    assert "On 2026-01-20 log has 0 rows, 0.00 times the mean of 50 on 18 days" in found.sentence


def test_less_than_the_factor_is_no_break() -> None:
    assert not judged(30).broken
    assert judged(30, factor=1.2, falseAlarms="1 per 10d").broken


def test_a_day_is_whole_after_its_lag() -> None:
    assert not judged(0, lag="2h").broken
    assert judged(0, now="2026-01-21T03:00Z", lag="2h").broken


def test_weekdays_are_compared_with_weekdays() -> None:
    """Sundays have a tenth of the rows, which is no break where weeks are known."""
    every = pd.date_range("2026-01-01", "2026-03-01", freq="D", tz="UTC")
    stamps = pd.Series(every.repeat([10 if d.weekday() == 6 else 100 for d in every]))
    now = pd.Timestamp("2026-03-02T01:00Z")
    both = [
        volume.judge(stamps, now, Volume.model_validate(one), "log")
        for one in ({"days": 56, "seasonality": "weekly"}, {"days": 28, "falseAlarms": "1 per 9d"})
    ]
    assert [one.broken for one in both if one] == [False, True]


def test_of_few_days_nothing_is_said() -> None:
    few = times({"2026-01-01T12:00": 5, "2026-01-02T12:00": 5, "2026-01-03T12:00": 5})
    assert volume.judge(few, pd.Timestamp("2026-01-04T12:00Z"), Volume(), "log") is None


def test_a_year_of_real_logs_keeps_the_promise() -> None:
    """The shop's searches of one year: at most two days break a factor of 2, once a year."""
    shared = os.environ.get("DRIFTLOOP_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")
    files = sorted((Path(shared) / "google_adwords_daily").glob("*.[cp][sa][vr]*"))
    if not files:
        pytest.skip("The folder of real data has no google_adwords_daily.")
    read = pd.read_parquet if files[0].suffix == ".parquet" else pd.read_csv
    counts = pd.to_datetime(read(files[0])["date"]).value_counts().sort_index()
    own = counts.to_numpy()
    ratios = [own[at] / own[at - 28 : at].mean() for at in range(28, len(own))]
    p = [volume.surprise(int(own[at]), own[at - 28 : at]) for at in range(28, len(own))]
    broken = [not 0.5 <= r <= 2 and q < 1 / 365 for r, q in zip(ratios, p, strict=True)]
    assert sum(broken) <= 2
