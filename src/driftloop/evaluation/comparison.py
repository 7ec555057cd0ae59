"""Comparison: what other retraining policies would have scored on the same stream.

All policies use the same features, estimator and training window and see outcomes only when
they are known; they differ in when they fit. Rows are predicted by the newest model fitted at
or before their time.

    never_retrained   the first model throughout
    driftloop         what was served
    calendar          as many fits as driftloop, evenly spaced
    retrained_daily   a fit every day
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import loss
from driftloop.evaluation.difference import Interval
from driftloop.evaluation.loss import Floats

POLICIES = ("never_retrained", "driftloop", "calendar", "retrained_daily")

Fit = Callable[[pd.Timestamp], Any]
"""Return a model fitted on the training window that ends at this instant."""
Predict = Callable[[Any, pd.DataFrame], Floats]


@dataclass(frozen=True)
class Policy:
    """A policy's predictions for the compared rows and how many fits they took."""

    predictions: Floats
    fits: int


def replay(
    rows: pd.DataFrame, fit_times: Sequence[pd.Timestamp], fit: Fit, predict: Predict
) -> Policy:
    """Return what models fitted at ``fit_times`` (sorted, the first not after any row) predict."""
    predictions = np.empty(len(rows))
    owner = pd.DatetimeIndex(list(fit_times)).searchsorted(rows["event_time"], side="right") - 1
    for index, time in enumerate(fit_times):
        mine = owner == index
        if mine.any():
            predictions[mine] = predict(fit(time), rows[mine])
    return Policy(predictions, len(fit_times))


def calendar(start: pd.Timestamp, end: pd.Timestamp, fits: int) -> list[pd.Timestamp]:
    """Return ``fits`` days evenly spaced over [start, end), the first at ``start``.

    >>> [str(t.date()) for t in calendar(pd.Timestamp(2012, 1, 1), pd.Timestamp(2012, 1, 5), 2)]
    ['2012-01-01', '2012-01-03']
    """
    step = (end - start) / max(1, fits)
    return [(start + step * index).floor("D") for index in range(max(1, fits))]


def daily(start: pd.Timestamp, end: pd.Timestamp) -> list[pd.Timestamp]:
    """Return every day of [start, end)."""
    return list(pd.date_range(start, end, freq="D", inclusive="left"))


def mean_loss(policy: Policy, rows: pd.DataFrame) -> float:
    """Return a policy's log loss per impression."""
    return loss.mean_log_loss(policy.predictions, rows["positives"], rows["weight"])


def week_block_interval(
    first: Policy,
    second: Policy,
    rows: pd.DataFrame,
    rng: np.random.Generator,
    resamples: int = 2000,
) -> Interval:
    """Return the difference of two policies' losses per impression with its 95 % interval.

    Whole weeks are resampled (moving with the calendar), since days of a week go together.
    """
    week = ((rows["event_time"] - rows["event_time"].min()).dt.days // 7).to_numpy()
    losses = [
        loss.log_loss(p.predictions, rows["positives"], rows["weight"]) for p in (first, second)
    ]
    count = int(week.max()) + 1
    sums = np.stack(
        [
            np.bincount(week, losses[0] - losses[1], count),
            np.bincount(week, rows["weight"].to_numpy("float64"), count),
        ],
        axis=1,
    )
    draws = rng.multinomial(count, np.full(count, 1 / count), resamples) @ sums
    low, high = np.quantile(draws[:, 0] / draws[:, 1], [0.025, 0.975])
    total = sums.sum(axis=0)
    return Interval(float(low), float(total[0] / total[1]), float(high))


def gain_captured(losses: dict[str, float]) -> float | None:
    """Return driftloop's share of the gain of daily retraining over never, if there is one."""
    gain = losses["never_retrained"] - losses["retrained_daily"]
    return (losses["never_retrained"] - losses["driftloop"]) / gain if gain > 0 else None
