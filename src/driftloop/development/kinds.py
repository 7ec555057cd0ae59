"""Kinds: what kind of error a part of the rows has, each decided by a test.

Each test asks whether one explanation surely repairs more than a trifle of the part's loss. What
has to be learned for it is learned on the early rows or on half of the held-out entities, the
other half judges, and rows of an entity go together. Holm (1979) at ``ERROR`` over all tests of an
analysis bounds the chance that anything is explained where nothing is wrong.

    shift     the part's share of the rows more than doubled, and its predictions are off by what
              a calibration on newer rows repairs
    label     the part's surest predictions come true no more often than a share of wrong labels
              would let them (curve.py), or its labels' suspicion, where given, is above the rest's
    underfit  boosted trees on the same columns lose less
    missing   residuals of an entity's rows go together: the products of any two of them are
              above 0 on average, so the entity has something that the columns do not tell; or a
              column that the model does not have explains them
    noise     none of these
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from driftloop.development import cluster, curve, labelled
from driftloop.development.columns import binned
from driftloop.development.parts import World, inside
from driftloop.evaluation.difference import Floats
from driftloop.evaluation.slices import Slice

SHIFT, LABEL, UNDERFIT, MISSING, NOISE = "shift", "label", "underfit", "missing feature", "noise"
ORDER = (SHIFT, LABEL, UNDERFIT, MISSING)
"""Which kind a part has where several tests fall: what comes first brings the later ones about."""
ERROR = 0.05
"""Chance that any part is explained where nothing is wrong."""
WORTH = 0.005
"""Relative loss of the part that an explanation must surely repair."""
GROWTH = 2.0
"""Times that a part's share must surely have grown by to be a shift."""
WRONG = 0.02
"""Share of wrong labels beyond the other rows' that is worth a look."""
SPREAD = 0.05
"""Variance between entities, of log-odds, that is worth a column: a deviation of 0.22."""
PRIOR = 20.0
"""Impressions that a bin's residual is shrunk by."""


@dataclass(frozen=True)
class Test:
    """One explanation of one part: its chance by accident, and what repairing it would bring.

    ``gain``: nats over all judged rows of the part; ``said``: the finding, with its numbers;
    ``wrong``: of labels, where that is what it finds; ``detail``: the column it names.
    """

    kind: str
    p_value: float
    gain: float
    said: str
    wrong: float = 0.0
    detail: str = ""


def of_labels(world: World, part: Slice, suspicion: Floats | None) -> Test:
    """Return the test for wrong labels; ``suspicion``: that each row's label is wrong, 0 to 1."""
    if suspicion is None:
        return _label(world, part)
    return _suspected(world, part, suspicion)


def of_model(world: World, part: Slice, others: Sequence[str] = ()) -> list[Test]:
    """Return every other test of one part; ``others``: columns that the model does not have."""
    found = [of_shift(world, part), _underfit(world, part), _between_entities(world, part)]
    return found + [_other_column(world, part, name) for name in others]


def _entities(world: World, at: Any) -> pd.Series[Any]:
    found: pd.Series[Any] = world.rows[world.entity].iloc[at]
    return found


def _gained(world: World, at: Any, now: Floats, then: Floats) -> tuple[float, float]:
    """Return what ``then`` gains on ``now`` in nats, and the chance that it is a trifle."""
    k, n = (world.rows[name].to_numpy("float64")[at] for name in ("positives", "weight"))
    before, after = _nats(now, k, n), _nats(then, k, n)
    keys = _entities(world, at)
    worth = cluster.of_rows(before - after - WORTH * before, keys).p_value
    return float((before - after).sum()), worth


def _nats(p: Floats, k: Floats, n: Floats) -> Floats:
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    found: Floats = -(k * np.log(clipped) + (n - k) * np.log1p(-clipped))
    return found


def _curve(
    world: World, at: Any, probability: Floats, most: tuple[float, float] = curve.NONE
) -> curve.Curve:
    weight, positives = labelled.counts(world.rows)
    return curve.fit(probability[at], positives[at], weight[at], most)


def of_shift(world: World, part: Slice) -> Test:
    """Return the test for a shift: both must hold, so the larger chance is that of both.

    Source: Berger (1982), intersection-union tests.
    """
    judged, learned = inside(part, world.late_judges), inside(part, world.looks)
    mended = _curve(world, learned, world.model).seen(world.model[judged])
    gain, worth = _gained(world, judged, world.model[judged], mended)
    log_ratio, error = _growth(world, part)
    surely = cluster.Sum(log_ratio - math.log(GROWTH), error, _count(world, judged))
    said = (
        f"its share of the rows grew {math.exp(min(log_ratio, 20)):.3g}-fold since what the model "
        "learned from"
    )
    return Test(SHIFT, max(worth, surely.p_value), gain, said)


def _count(world: World, at: Any) -> int:
    return int(_entities(world, at).nunique())


def _growth(world: World, part: Slice) -> tuple[float, float]:
    """Return the logarithm of the part's late share over its early one, with its error."""
    weight, _ = labelled.counts(world.rows)
    rows = np.flatnonzero(world.judges)
    keys = pd.factorize(_entities(world, rows), use_na_sentinel=False)[0]
    late, own = world.is_late[rows], part.inside[rows]
    masks = [late & own, late, ~late & own, ~late]
    sums = np.stack([np.bincount(keys, weight[rows] * mask) for mask in masks], axis=1)
    # Half a row more: a part that was not there before has a share all the same.
    total = sums.sum(axis=0) + weight[rows].mean() / 2
    influence = sums / total @ np.array([1.0, -1.0, -1.0, 1.0])
    missing = 1.0 / total[2] * weight[rows].mean()
    log_ratio = float(np.log(total) @ np.array([1.0, -1.0, -1.0, 1.0]))
    return log_ratio, float(np.sqrt((influence**2).sum() + missing))


def _underfit(world: World, part: Slice) -> Test:
    judged = inside(part, world.late_judges)
    gain, p_value = _gained(world, judged, world.model[judged], world.flexible[judged])
    said = "boosted trees on the same columns fit it better"
    return Test(UNDERFIT, p_value, gain, said)


def _label(world: World, part: Slice) -> Test:
    """Test whether more flips than elsewhere, and than a trifle, make the part's curve likelier.

    Twice the logarithm of the likelihoods' ratio is compared with chi-squared of two degrees, a
    bound for parameters that lie at their limit (Self and Liang, 1987), after division by how much
    rows of an entity go together. Early rows help, since the additive model has seen neither half's
    own. Where boosted trees surely fit the part better than flips do, no labels are wrong.
    """
    weight, positives = labelled.counts(world.rows)
    # Not the rows that the part was found by: their loss is high because they were chosen for it.
    base, unused = world.additive, ~world.looks
    own = np.flatnonzero(part.inside & unused)
    elsewhere = _curve(world, np.flatnonzero(~part.inside & unused), base, curve.ANY)
    usual = elsewhere.up + WRONG, elsewhere.down + WRONG
    few, free = (_curve(world, own, base, most) for most in (usual, curve.ANY))
    p, k, n = base[own], positives[own], weight[own]
    apart = _nats(few.seen(p), k, n) - _nats(free.seen(p), k, n)
    statistic = 2 * float(apart.sum()) / _together(apart, _entities(world, own))
    wrong = float((free.wrong(p) * n).sum() / n.sum())
    p_value = float(stats.chi2.sf(statistic, 2)) if not _trees_win(world, part, free) else 1.0
    judged = inside(part, world.late_judges)
    n = weight[judged]
    now = float(_nats(world.model[judged], positives[judged], n).sum())
    gain = max(0.0, now - _entropy(free.clean(base[judged]), n))
    return Test(LABEL, p_value, gain, _wrongly(wrong), wrong)


def _together(values: Floats, entities: pd.Series[Any]) -> float:
    """Return how many times the variance of a sum is what it were of rows on their own."""
    codes, names = pd.factorize(entities, use_na_sentinel=False)
    alone = float((values**2).sum())
    summed = float((np.bincount(codes, values, len(names)) ** 2).sum())
    return max(1.0, summed / alone) if alone > 0 else 1.0


def _trees_win(world: World, part: Slice, flips: curve.Curve) -> bool:
    judged = inside(part, world.late_judges)
    then = world.flexible[judged]
    return _gained(world, judged, flips.seen(world.additive[judged]), then)[1] < ERROR


def _entropy(p: Floats, weight: Floats) -> float:
    return float(_nats(p, p * weight, weight).sum())


def _wrongly(wrong: float) -> str:
    return f"about {wrong:.1%} of its labels seem to be wrong"


def _suspected(world: World, part: Slice, suspicion: Floats) -> Test:
    """Test whether the part's suspicion is above the other rows' by more than a trifle."""
    rows = np.flatnonzero(world.late_judges)
    weight, positives = labelled.counts(world.rows)
    n, own = weight[rows], part.inside[rows]
    scores = suspicion[rows]
    means = [float((scores * n)[side].sum() / max(n[side].sum(), 1.0)) for side in (own, ~own)]
    usual = means[1] if (~own).any() else 0.0
    # The difference of two means, linear in the rows, so that it is a sum over entities.
    inside_, outside = n * own / n[own].sum(), n * ~own / max(n[~own].sum(), 1.0)
    values = inside_ * (scores - means[0]) - outside * (scores - usual)
    spread = cluster.of_rows(values, _entities(world, rows))
    found = cluster.Sum(means[0] - usual - WRONG, spread.error, spread.entities)
    judged = inside(part, world.late_judges)
    p, m = world.model[judged], weight[judged]
    # A label of the other kind costs |logit p| more: what its repair brings.
    # What a detector says of most rows is its floor.
    beyond = np.maximum(suspicion[judged] - np.median(scores), 0.0)
    gain = float((beyond * np.abs(curve.logit(p)) * m).sum())
    now = float(_nats(p, positives[judged], m).sum())
    return Test(LABEL, found.p_value, min(gain, now), _wrongly(means[0]), means[0])


def _base(world: World, part: Slice) -> tuple[Any, Any, Floats]:
    """Return the judged rows, those learned from, and the best that the columns allow."""
    judged, learned = inside(part, world.late_judges), inside(part, world.looks)
    weight, positives = labelled.counts(world.rows)
    tries = [_curve(world, learned, p).seen(p) for p in (world.model, world.flexible)]
    lost = [_nats(p[learned], positives[learned], weight[learned]).sum() for p in tries]
    return judged, learned, tries[int(np.argmin(lost))]


def _between_entities(world: World, part: Slice) -> Test:
    """Test whether products of an entity's residuals exceed what a spread of ``SPREAD`` makes."""
    judged, _, best = _base(world, part)
    weight, positives = labelled.counts(world.rows)
    n, k, p = weight[judged], positives[judged], best[judged]
    residual, variance = k - n * p, n * p * (1 - p)
    codes, names = pd.factorize(_entities(world, judged), use_na_sentinel=False)
    products, scale = (_pairs(one, codes, len(names)) for one in (residual, variance))
    several = np.bincount(codes, minlength=len(names)) > 1
    found = cluster.of_entities((products - SPREAD * scale)[several])
    total = scale.sum()
    spread = max(0.0, float(products.sum() / total)) if total > 0 else 0.0
    # To second order the divergence of a prediction that is off by u in log-odds is v u^2 / 2.
    gain = min(spread, 4.0) * float(variance.sum()) / 2
    said = (
        f"rows of one {world.entity} err alike (a deviation of {math.sqrt(spread):.2f} in "
        "log-odds between them)"
    )
    return Test(MISSING, found.p_value, gain, said, detail=world.entity)


def _pairs(values: Floats, codes: Any, count: int) -> Floats:
    """Return the sum over each entity's pairs of different rows."""
    sums: Any = np.bincount(codes, values, count)
    found: Floats = sums**2 - np.bincount(codes, values**2, count)
    return found


def _other_column(world: World, part: Slice, name: str) -> Test:
    """Test whether the bins of a column that the model lacks explain its residuals."""
    judged, learned, p = _base(world, part)
    weight, positives = labelled.counts(world.rows)
    codes = binned(world.rows[name], world.rows[name].iloc[learned])
    n, k, q = weight[learned], positives[learned], p[learned]
    count = int(codes.max()) + 1
    total: Any = np.bincount(codes[learned], k - n * q, count)
    usual = float(np.mean(q * (1 - q))) if len(q) else 0.25
    spread: Any = np.bincount(codes[learned], n * q * (1 - q), count) + PRIOR * usual
    offset = (total / spread)[codes[judged]]
    then = 1 / (1 + np.exp(-(curve.logit(p[judged]) + offset)))
    gain, p_value = _gained(world, judged, p[judged], then)
    said = f"{name}, which the model does not have, explains its residuals"
    return Test(MISSING, p_value, gain, said, detail=name)
