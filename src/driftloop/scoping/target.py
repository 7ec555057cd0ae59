"""Target: the loss at which the charter's target is reached."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from driftloop.evaluation import difference, kpi, numbers
from driftloop.evaluation.numbers import Numbers
from driftloop.spec.charter import Target
from driftloop.spec.objective import Kpi
from driftloop_contracts.errors import InvalidInput

HALVINGS = 40
RESAMPLES = 300
LARGEST = 20.0
"""Nats: more than a probability that is clipped can lose."""


def loss_of(target: Target | None, formula: Kpi, seen: Numbers) -> float | None:
    """Return the largest loss that reaches ``target``, None where there is no target.

    ``seen``: of the rows that judge; the KPI is asked as if they had another loss, so it must
    rise or fall with it. Raise InvalidInput where it does not depend on the loss, and where no
    loss reaches the target.
    """
    if target is None or target.kpi is None:
        return target.metric if target else None
    sign = 1.0 if formula.direction == "maximize" else -1.0

    def misses(loss: float) -> bool:
        return sign * _value(formula, seen, loss) < sign * float(target.kpi or 0.0)

    if _value(formula, seen, 1e-9) == _value(formula, seen, LARGEST):
        allowed = "on a KPI whose formula names log_loss"
        raise InvalidInput("charter.target.kpi", "loop.yaml", allowed, formula.formula)
    if misses(0.0):
        best = f"at most what no loss at all gives, {_value(formula, seen, 0.0):.4g}"
        raise InvalidInput("charter.target.kpi", "loop.yaml", best, target.kpi)
    return _boundary(misses)


def error(
    target: Target | None,
    formula: Kpi,
    lost: ArrayLike,
    late: pd.DataFrame,
    entity: str,
    rng: np.random.Generator,
) -> float:
    """Return the standard error of a loss above the target, as entities come and stay away.

    ``lost``: each row's total loss; ``late``: the rows, with weight, positives and ``entity``. What
    makes rows easy or hard moves a KPI's target along with the loss, and is no error then.
    """
    columns = {"lost": np.asarray(lost, "float64")}
    columns |= {name: late[name].to_numpy("float64") for name in ("weight", "positives")}
    drawn = difference.resample(columns, late[entity], RESAMPLES, rng)
    loss = drawn.ratio("lost", "weight").drawn
    if target is None or target.kpi is None:
        return float(loss.std())
    aims = [
        loss_of(target, formula, numbers.of_sums(len(late), n, k, k, s))
        for s, n, k in drawn.sums[1:]
        if n > 0
    ]
    return float((loss - np.array(aims, "float64")).std())


def _boundary(misses: Callable[[float], bool]) -> float:
    low, high = 0.0, LARGEST
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if misses(middle) else (middle, high)
    return low


def _value(formula: Kpi, numbers: Numbers, loss: float) -> float:
    values = numbers.values() | {"log_loss": loss}
    found = kpi.evaluate(formula.formula, values)
    return float("nan") if found is None else found
