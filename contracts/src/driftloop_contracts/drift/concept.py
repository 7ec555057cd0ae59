"""Concept: whether outcomes still follow the predictions as they did when the model was judged.

Rows are counted by predicted probability in bins of the held-out rows, which the model had not
seen; of each bin what was predicted and what came. Held-out rows say how far the model is off
in a bin: an offset of its log-odds. With it the predictions of later rows lead to an expected
rate. A mix of requests that changes moves predictions and outcomes together and shows nothing
here: that is the inputs' drift. Two tests, on n / d and m / d trials (effective.py):

    rate      positives of all rows against the expected ones: signed root of the likelihood
              ratio of two binomials, two-sided
    relation  the same ratio summed over the bins, chi-square (Wilks, 1938), once the expected
              rates are moved, by one offset of their log-odds, to the observed rate: those with
              a high prediction come less, say, and those with a low one more

d is the largest mean of (positives - expected)^2 / variance over blocks of rows, of each test
its own: a mood of the day moves all bins at once, and far more in their sum than in any.
Effect: Cohen's h of observed and expected rate, of all rows or the root of its mean square over
the bins, by weight.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import special

from driftloop_contracts.drift import effective, evidence, tally
from driftloop_contracts.drift.evidence import NONE, Evidence
from driftloop_contracts.drift.finding import Test
from driftloop_contracts.errors import BundleRefused, InvalidInput

Floats = np.ndarray[Any, np.dtype[np.float64]]
Codes = np.ndarray[Any, np.dtype[np.int64]]

BINS = 10
"""Bins of the held-out rows: each holds as much of the outcomes' variance."""
SLICE_BINS = 4
"""Bins of a part of them: it has fewer rows."""
SLICE_LIKELY = 10.0 * SLICE_BINS
"""Predicted positives (or negatives) that a part is worth judging from, before its time is up."""
MAX_BINS = 100
"""Most bins that an event may carry."""
WHERE = "a cohort"
EDGE = 1e-9
"""How near to 0 and 1 a probability is taken for what it says."""
STEPS = 25
"""Newton's steps to a common offset, of at most 1 each."""
MOST = 300_000
"""Latest rows that the design effect is estimated from."""


@dataclass(frozen=True)
class Followed:
    """What became of rows: a sum a bin; they add up.

    ``weight``: of the rows; ``predicted``: positives that the model leads to expect;
    ``positives``: those that came.
    """

    weight: tuple[float, ...]
    predicted: tuple[float, ...]
    positives: tuple[float, ...]

    def __add__(self, other: Followed) -> Followed:
        """Return both together."""
        if len(self.weight) != len(other.weight):
            bins = f"of {len(self.weight)} bins"
            raise InvalidInput("outcomes", WHERE, bins, len(other.weight))
        own, more = asdict(self), asdict(other)
        return Followed(**{n: tuple(map(sum, zip(own[n], more[n], strict=True))) for n in own})

    @property
    def likely(self) -> float:
        """Return how many positives are predicted, or negatives where these are fewer."""
        predicted = sum(self.predicted)
        return min(predicted, sum(self.weight) - predicted)

    def to_data(self) -> dict[str, Any]:
        """Return them as JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class Concept:
    """How outcomes followed the predictions on the held-out rows.

    ``cuts``: the bins' upper bounds, the last one left out; ``rate_design_effect``,
    ``design_effect``: of all rows together, of the bins; ``min_effect``: as Cohen's h.
    """

    cuts: tuple[float, ...]
    usual: Followed
    rate_design_effect: float
    design_effect: float
    min_effect: float

    def rates(self, seen: Followed) -> tuple[float, float]:
        """Return the share of positives that came, and the one to expect; without rows, NaN."""
        n = sum(seen.weight)
        if n <= 0:
            return math.nan, math.nan
        expected = float(_expected(self.usual, seen) @ seen.weight)
        return sum(seen.positives) / n, expected / n

    def count(self, probability: Floats, positives: Floats, weight: Floats) -> Followed:
        """Return rows by their bin."""
        return _counted(self.cuts, probability, positives, weight)

    def judge(self, seen: Followed, level: float) -> list[Test]:
        """Return the tests on later rows; a shift is sure at ``level`` and large enough."""
        found = {"rate": self._rate(seen), "relation": self._relation(seen)}
        return [
            Test(n, e.statistic, e.p_value, e.effect, e.p_value < level and self._counts(e))
            for n, e in found.items()
        ]

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return it as the bundle stores it."""
        return json.dumps(self.to_data(), sort_keys=True, indent=1, allow_nan=False).encode()

    def _counts(self, found: Evidence) -> bool:
        return found.effect >= self.min_effect

    def _rate(self, seen: Followed) -> Evidence:
        n, m = sum(seen.weight), sum(self.usual.weight)
        if n <= 0 or m <= 0:
            return NONE
        observed, usual = self.rates(seen)
        sizes = (np.array([size]) / self.rate_design_effect for size in (n, m))
        ratio, tested = evidence.likelihood_ratio(np.array([observed]), np.array([usual]), *sizes)
        if not tested.any():
            return NONE
        z = math.copysign(math.sqrt(2 * float(ratio[0])), observed - usual)
        effect = float(evidence.cohens_h(observed, usual))
        return Evidence(z, 2 * float(special.ndtr(-abs(z))), effect)

    def _relation(self, seen: Followed) -> Evidence:
        n, m = np.array(seen.weight), np.array(self.usual.weight)
        observed = np.divide(seen.positives, n, out=np.zeros(len(n)), where=n > 0)
        moved = _moved(_expected(self.usual, seen), n, sum(seen.positives))
        ratio, tested = evidence.likelihood_ratio(
            observed, moved, n / self.design_effect, m / self.design_effect
        )
        freedom = int(tested.sum()) - 1
        if freedom < 1:
            return NONE
        statistic = 2 * float(ratio[tested].sum())
        apart = evidence.cohens_h(observed, moved)[tested]
        # Not the largest: of bins with few rows one always looks far off.
        effect = math.sqrt(float(apart**2 @ n[tested] / n[tested].sum()))
        return Evidence(statistic, float(special.chdtrc(freedom, statistic)), effect)


@dataclass(frozen=True)
class Judged:
    """Rows with a known outcome, in the order of time.

    ``probability``: predicted; ``positives``: from 0 to ``weight``; ``cells``: each row's window.
    """

    probability: Floats
    positives: Floats
    weight: Floats
    cells: Codes

    def __len__(self) -> int:
        return len(self.cells)


def measure(held_out: Judged, trained: Judged, min_effect: float) -> Concept:
    """Return how outcomes follow predictions on held-out rows.

    ``trained``: rows of a model that did see them. They do not tell how far it is off, but how
    much days differ, which the few held-out ones do not.
    """
    return _measured(held_out, (held_out, trained), min_effect, BINS)


def measure_slice(held_out: Judged, trained: Judged, min_effect: float) -> Concept:
    """Return the same of a part of the rows, in fewer bins.

    Its held-out rows are so few that any design effect found in them would be chance.
    """
    return _measured(held_out, (trained,), min_effect, SLICE_BINS)


def _measured(held_out: Judged, samples: Sequence[Judged], min_effect: float, bins: int) -> Concept:
    variance = held_out.weight * held_out.probability * (1 - held_out.probability)
    cuts = _cuts(held_out.probability, variance, bins)
    usual = _counted(cuts, held_out.probability, held_out.positives, held_out.weight)
    effects = [_design_effects(rows, cuts) for rows in samples]
    rate, relation = (max(one) for one in zip(*effects, strict=True))
    return Concept(cuts, usual, rate, relation, min_effect)


def from_json(content: bytes) -> Concept:
    """Return what a bundle stores; raise BundleRefused when it is not that."""
    try:
        return from_data(json.loads(content))
    except (ValueError, RecursionError, InvalidInput) as error:
        raise BundleRefused(f"The bundle's outcomes cannot be read: {error}.") from error


def from_data(data: object) -> Concept:
    """Return what JSON data hold; raise InvalidInput when they do not."""
    where, allowed = "a concept", "an object with a concept's fields"
    if not isinstance(data, Mapping) or data.keys() != Concept.__dataclass_fields__.keys():
        raise InvalidInput("outcomes", where, allowed, data)
    cuts, usual = tally.cells("cuts", data["cuts"], WHERE, 0, MAX_BINS), followed(data["usual"])
    if len(cuts) + 1 != len(usual.weight):
        raise InvalidInput("cuts", where, "one fewer than bins", len(cuts))
    alone = {
        name: tally.amount(name, data[name], WHERE) for name in data.keys() - {"cuts", "usual"}
    }
    if min(alone["rate_design_effect"], alone["design_effect"]) < 1:
        raise InvalidInput("design_effect", where, "at least 1", alone)
    return Concept(cuts, usual, **alone)


def followed(data: object) -> Followed:
    """Return the sums in JSON data; raise InvalidInput when they are none."""
    names = Followed.__dataclass_fields__
    if not isinstance(data, Mapping) or data.keys() != names.keys():
        raise InvalidInput("outcomes", WHERE, f"an object with {', '.join(names)}", data)
    sums = {name: tally.cells(name, data[name], WHERE, 1, MAX_BINS) for name in names}
    if len({len(column) for column in sums.values()}) != 1:
        raise InvalidInput("outcomes", WHERE, "as many of each sum", sums["weight"])
    return Followed(**sums)


def _design_effects(rows: Judged, cuts: tuple[float, ...]) -> tuple[float, float]:
    """Return the design effects of all rows together and of the bins."""
    if len(rows) < 2:
        return 1.0, 1.0
    p, bins = rows.probability, _bins(cuts, rows.probability)
    own = _counted(cuts, p, rows.positives, rows.weight)
    # A factor, not an offset: so what is left over sums to 0 in every bin, however many rows.
    factor = np.array(own.positives) / np.maximum(own.predicted, EDGE)
    left = rows.positives - rows.weight * p * factor[bins]
    latest, count = slice(max(0, len(rows) - MOST), None), len(cuts) + 1
    variance = rows.weight * p * (1 - p)
    off, spread = (_by_bin(one[latest], bins[latest], count) for one in (left, variance))
    longest = int(np.median(np.unique(rows.cells, return_counts=True)[1]))
    blocks = list(effective.blockings(rows.cells[latest], longest))
    found = [[_squares(off, spread, one, whole) for one in blocks] for whole in (True, False)]
    return effective.largest(found[0]), effective.largest(found[1])


def _cuts(probability: Floats, variance: Floats, bins: int) -> tuple[float, ...]:
    """Return the bounds between bins of as much variance each."""
    order = np.argsort(probability, kind="stable")
    total = np.cumsum(variance[order])
    if not len(total) or total[-1] <= 0:
        return ()
    places = np.searchsorted(total / total[-1], np.arange(1, bins) / bins)
    found = np.unique(probability[order][np.minimum(places, len(order) - 1)])
    return tuple(float(cut) for cut in found[found < probability.max()])


def _bins(cuts: tuple[float, ...], probability: Floats) -> Codes:
    bins: Codes = np.searchsorted(np.array(cuts), probability)
    return bins


def _counted(
    cuts: tuple[float, ...], probability: Floats, positives: Floats, weight: Floats
) -> Followed:
    bins = _bins(cuts, probability)
    sums = (np.bincount(bins, c, len(cuts) + 1) for c in (weight, weight * probability, positives))
    return Followed(*(tuple(column.tolist()) for column in sums))


def _expected(usual: Followed, seen: Followed) -> Floats:
    """Return the rate to expect in each bin; without rows there it does not matter."""
    offset = special.logit(_rates(usual, usual.positives)) - special.logit(
        _rates(usual, usual.predicted)
    )
    expected: Floats = special.expit(special.logit(_rates(seen, seen.predicted)) + offset)
    return expected


def _rates(of: Followed, sums: tuple[float, ...]) -> Floats:
    """Return each bin's rate, drawn to the predicted one by one trial: none is then 0 or 1."""
    n, predicted = np.array(of.weight), np.array(of.predicted)
    usual = np.divide(predicted, n, out=np.full(len(n), 0.5), where=n > 0)
    rates: Floats = np.clip((np.array(sums) + usual) / (n + 1), EDGE, 1 - EDGE)
    return rates


def _moved(expected: Floats, n: Floats, positives: float) -> Floats:
    """Return rates whose log-odds all moved by as much, so that they lead to ``positives``."""
    odds, offset, total = special.logit(expected), 0.0, float(n.sum())
    aim = min(max(positives, 0.5), max(total - 0.5, 0.5))
    for _ in range(STEPS):
        rates = special.expit(odds + offset)
        slope = float(n @ (rates * (1 - rates)))
        offset += float(np.clip((aim - n @ rates) / max(slope, EDGE), -1, 1))
    moved: Floats = special.expit(odds + offset)
    return moved


def _by_bin(values: Floats, bins: Codes, count: int) -> Floats:
    """Return [rows, bins]: each value in its bin's column."""
    table = np.zeros((len(values), count))
    table[np.arange(len(values)), bins] = values
    return table


def _squares(off: Floats, spread: Floats, blocks: Codes, whole: bool) -> tuple[Floats, int]:
    """Return the mean of (positives - expected)^2 / variance over blocks: of all, or a bin each.

    A bin's is what is left once the block's own rate is expected.
    """
    starts = np.flatnonzero(np.diff(blocks, prepend=blocks[0] - 1))
    sums, variance = np.add.reduceat(off, starts), np.add.reduceat(spread, starts)
    total, every = sums.sum(axis=1, keepdims=True), variance.sum(axis=1, keepdims=True)
    share = variance / np.maximum(every, EDGE)
    if whole:
        sums, variance = total, every
    else:
        sums, variance = sums - share * total, variance * (1 - share)
    usable = variance.mean(axis=0) > 0.5
    squares = sums[:, usable] ** 2 / np.maximum(variance[:, usable], EDGE)
    freedom = len(starts) - 1
    return squares.sum(axis=0) / max(1, freedom), freedom
