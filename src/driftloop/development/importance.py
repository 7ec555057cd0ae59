"""Importance: what the held-out loss rises by where the model is lied to about some columns.

Permutation importance (Breiman, 2001; Fisher, Rudin and Dominici, 2019) with three cares. Rows
are permuted within stretches of time, so that a column is not important because days differ.
Columns that go together are permuted together, since each alone could be made up for by the
other. And the interval has two sources: other entities might have come (bootstrap over entities),
and other permutations might have been drawn (bootstrap over repeats).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.development import labelled
from driftloop.development.columns import together
from driftloop.evaluation import difference, loss
from driftloop.evaluation.difference import Estimate, Floats, Interval

Predict = Callable[[pd.DataFrame], Floats]
"""Return the probability of a positive for each row of a frame."""

REPEATS = 5
STRETCHES = 10
"""Of time, with as many rows each, within which rows are permuted."""
RESAMPLES = 400
CONFIDENCE = 0.975
"""Of each of the two bounds: together they are a 95 % interval."""


@dataclass(frozen=True)
class Importance:
    """What the loss of the held-out rows rises by, relative, without what these columns tell."""

    columns: tuple[str, ...]
    rise: Interval

    @property
    def is_noise(self) -> bool:
        """Return whether nothing says that the model is the worse without them."""
        return self.rise.low <= 0

    def to_data(self) -> dict[str, Any]:
        """Return the importance, ready for JSON."""
        rise = [round(one, 6) for one in self.rise]
        return {"columns": list(self.columns), "rise": rise, "noise": self.is_noise}


def permuted(
    rows: pd.DataFrame,
    columns: Sequence[str],
    entity: str,
    predict: Predict,
    rng: np.random.Generator,
    repeats: int = REPEATS,
    groups: Sequence[tuple[str, ...]] | None = None,
) -> list[Importance]:
    """Return each group's importance, the largest first.

    ``rows``: held-out, with ``columns``, ``entity``, ``event_time``, ``weight`` and ``positives``;
    ``groups``: of columns; by default those that go together (columns.py). Raise InvalidInput for
    rows that lack one of these.
    """
    where = "the held-out rows"
    labelled.require(rows, [*columns, entity, "event_time"], where)
    own = list(groups) if groups is not None else together(rows, columns, rng)
    plain = _losses(rows, predict(rows))
    orders = [_order(rows["event_time"], rng) for _ in range(repeats)]
    found = []
    for names in own:
        # One call for all repeats: a prediction's cost is mostly that of the call.
        lied = pd.concat([_lied_to(rows, names, one) for one in orders], ignore_index=True)
        told = predict(lied).reshape(repeats, len(rows))
        rises = [_losses(rows, one) - plain for one in told]
        found.append(Importance(names, _interval(rows, entity, rises, plain, rng)))
    return sorted(found, key=lambda one: -one.rise.estimate)


def _losses(rows: pd.DataFrame, probability: Floats) -> Floats:
    return loss.log_loss(probability, rows["positives"], rows["weight"])


def _order(times: pd.Series[pd.Timestamp], rng: np.random.Generator) -> Any:
    """Return the row that stands in for each row, of the same stretch of time."""
    by_time = np.argsort(times.to_numpy(), kind="stable")
    order = np.empty(len(times), "int64")
    for stretch in np.array_split(by_time, min(STRETCHES, max(1, len(times) // 2))):
        order[stretch] = rng.permutation(stretch)
    return order


def _lied_to(rows: pd.DataFrame, names: Sequence[str], order: Any) -> pd.DataFrame:
    return rows.assign(**{name: rows[name].array[order] for name in names})


def _interval(
    rows: pd.DataFrame,
    entity: str,
    rises: Sequence[Floats],
    plain: Floats,
    rng: np.random.Generator,
) -> Interval:
    """Return the mean over repeats, relative, between bounds of both sources."""
    columns = {str(number): rise for number, rise in enumerate(rises)} | {"plain": plain}
    drawn = difference.resample(columns, rows[entity], RESAMPLES, rng)
    sums, count = drawn.sums[:, :-1], len(rises)
    chosen = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
    above = np.concatenate([sums[:1].mean(axis=1), (sums[1:] * chosen).sum(axis=1)])
    relative = above / np.maximum(drawn.of("plain"), 1e-300)
    return Estimate(float(relative[0]), relative[1:]).interval(CONFIDENCE)
