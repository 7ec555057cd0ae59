"""Baselines: what it takes no machine learning to predict, beside the model.

- ``rate``: always the rate of the rows that are learned from;
- ``column``: the rates of the bins of one column, the one that explains most;
- ``rule``: a tree of two questions, or one threshold, whichever explains more.

Which column and which rule is chosen on the early rows alone, each half of the entities judging
what the other half learned, so that on the held-out rows each is one prediction fixed beforehand.
The model is

    better       when the relative difference of losses (negative: the model's is less) has its
                 upper bound below 0
    no better    when its lower bound is above -``least``: a model that gains ``least`` or more is
                 called so with a chance of at most 1 - confidence
    not told     otherwise

The best rule is that of the three with the least held-out loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from driftloop.development import labelled
from driftloop.development.columns import binned
from driftloop.evaluation import difference, loss
from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats, Interval, halves
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES

RATE, COLUMN, RULE = "rate", "column", "rule"
BETTER, NO_BETTER, NOT_TOLD = "better", "no better", "not told"
LEAST = 0.01
"""Relative gain over the best rule that a model must be able to have to be worth its upkeep."""
CONFIDENCE = 0.95
RESAMPLES = 1000
PRIOR = 20.0
"""Impressions at the mean rate that a bin or a leaf starts from."""
LEAST_SHARE = 0.01
"""Of the rows, in a leaf of a rule."""

Guess = Callable[[pd.DataFrame], Floats]


@dataclass(frozen=True)
class Baseline:
    """A prediction without a model: ``loss`` a row, and by how much the model's differs from it."""

    name: str
    said: str
    loss: Interval
    difference: Interval

    def to_data(self) -> dict[str, Any]:
        """Return the baseline, ready for JSON."""
        intervals = {"loss": self.loss, "difference": self.difference}
        listed = {name: [round(x, 6) for x in one] for name, one in intervals.items()}
        return {"name": self.name, "said": self.said, **listed}


@dataclass(frozen=True)
class Comparison:
    """The model beside the baselines, on the same held-out rows of ``entities``."""

    model: Interval
    baselines: tuple[Baseline, ...]
    rows: int
    entities: int
    least: float = LEAST

    @property
    def best(self) -> Baseline:
        """Return the baseline with the least loss."""
        return min(self.baselines, key=lambda one: one.loss.estimate)

    @property
    def standing(self) -> str:
        """Return whether the model is better than the best rule, no better, or not told apart."""
        found = self.best.difference
        if self.entities < FEWEST_ENTITIES:
            return NOT_TOLD
        if found.high < 0:
            return BETTER
        return NO_BETTER if found.low > -self.least else NOT_TOLD

    @property
    def sentence(self) -> str:
        """Return how the model stands to the best rule."""
        low, value, high = self.best.difference
        told = f"{value:+.2%} [{low:+.2%}, {high:+.2%}] on {self.rows} rows"
        says = {
            BETTER: "The model is better than the best rule without ML",
            NO_BETTER: "The model is not better than the best rule without ML",
            NOT_TOLD: "The model cannot be told from the best rule without ML",
        }
        return f"{says[self.standing]} ({self.best.said}): loss differs by {told}."

    @property
    def returned(self) -> Returned | None:
        """Return what sends the loop back to scoping, if anything does."""
        return RULES["no_better"].returned(self.sentence) if self.standing == NO_BETTER else None

    def metrics(self) -> dict[str, float]:
        """Return the loss of the best column and the best rule, as a bundle's metrics name them."""
        return {f"{one.name}_loss": one.loss.estimate for one in self.baselines if one.name != RATE}

    def to_data(self) -> dict[str, Any]:
        """Return the comparison, ready for JSON."""
        return {
            "model": [round(one, 6) for one in self.model],
            "rows": [one.to_data() for one in self.baselines],
            "standing": self.standing,
            "sentence": self.sentence,
        }


def compare(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probability: Floats,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    least: float = LEAST,
) -> Comparison:
    """Return the model's held-out loss beside the baselines'.

    ``early``: the rows that the model learned from; ``late``: held-out rows; ``probability``: the
    model's for ``late``. Raise InvalidInput for rows without labels, ``columns`` or ``entity``.
    """
    for rows, where in ((early, "the early rows"), (late, "the held-out rows")):
        labelled.require(rows, [*columns, entity], where)
    labelled.require_probability(probability, late, "the held-out rows")
    guesses = _guesses(early, columns, entity, rng)
    losses = [(name, said, _losses(guess(late), late)) for name, said, guess in guesses]
    return beside(_losses(probability, late), losses, late, entity, rng, least)


def beside(
    own: Floats,
    losses: Sequence[tuple[str, str, Floats]],
    late: pd.DataFrame,
    entity: str,
    rng: np.random.Generator,
    least: float = LEAST,
) -> Comparison:
    """Return the model's losses of ``late`` rows beside those of each (name, what it does)."""
    sums = {name: lost for name, _, lost in losses} | {"model": own}
    sums["weight"] = late["weight"].to_numpy("float64")
    drawn = difference.resample(sums, late[entity], RESAMPLES, rng)
    found = [
        Baseline(
            name,
            said,
            drawn.ratio(name, "weight").interval(CONFIDENCE),
            drawn.relative("model", name).interval(CONFIDENCE),
        )
        for name, said, _ in losses
    ]
    whole = drawn.ratio("model", "weight").interval(CONFIDENCE)
    return Comparison(whole, tuple(found), len(late), int(late[entity].nunique()), least)


def _losses(probability: Floats, rows: pd.DataFrame) -> Floats:
    return loss.log_loss(probability, rows["positives"], rows["weight"])


def _guesses(
    early: pd.DataFrame, columns: Sequence[str], entity: str, rng: np.random.Generator
) -> list[tuple[str, str, Guess]]:
    """Return each baseline's name, what it does, and how it guesses."""
    rate = _rate(early)
    found: list[tuple[str, str, Guess]] = [
        (RATE, f"always the rate {rate:.4g}", lambda rows: np.full(len(rows), rate))
    ]
    if not columns or not labelled.has_both(early):
        return found
    half = halves(early[entity], rng)
    by_column = {name: (lambda rows, name=name: _by_bins(rows, name)) for name in columns}
    best = least_loss(early, half, by_column, _losses)
    found.append((COLUMN, f"the rates by {best}", by_column[best](early)))
    rules = {str(depth): (lambda rows, d=depth: _tree(rows, columns, d)[0]) for depth in (1, 2)}
    guess, said = _tree(early, columns, int(least_loss(early, half, rules, _losses)))
    found.append((RULE, said, guess))
    return found


def least_loss(
    early: pd.DataFrame,
    half: Any,
    makers: Mapping[str, Callable[[pd.DataFrame], Guess]],
    losses: Callable[[Floats, pd.DataFrame], Floats],
) -> str:
    """Return whose guesses learned on one half of the entities lose least on the other.

    ``half``: 0 or 1 of each row; ``losses``: of guesses at rows, one value a row.
    """
    lost = dict.fromkeys(makers, 0.0)
    for side in (0, 1):
        seen, judged = early[half != side], early[half == side]
        if seen.empty or judged.empty:
            continue
        for name, make in makers.items():
            lost[name] += float(losses(make(seen)(judged), judged).sum())
    return min(lost, key=lambda name: lost[name])


def _rate(rows: pd.DataFrame) -> float:
    weight, positives = labelled.counts(rows)
    return float(positives.sum() / weight.sum())


def _by_bins(seen: pd.DataFrame, column: str) -> Guess:
    """Return the guess of the rate in a column's bin."""
    rates = _shrunk(seen, binned(seen[column]), 64)
    known = seen[column]
    return lambda rows: rates[np.minimum(binned(rows[column], known), 63)]


def _shrunk(seen: pd.DataFrame, codes: Any, count: int) -> Floats:
    weight, positives = labelled.counts(seen)
    above = np.bincount(codes, positives, count) + PRIOR * _rate(seen)
    rates: Floats = above / (np.bincount(codes, weight, count) + PRIOR)
    return rates


def _tree(seen: pd.DataFrame, columns: Sequence[str], depth: int) -> tuple[Guess, str]:
    """Return a rule of ``depth`` questions about columns, and what it asks."""
    shown, labels = _questions(seen, seen, columns)
    weight, positives = labelled.counts(seen)
    position, label, share = labelled.doubled(seen)
    tree = DecisionTreeClassifier(
        criterion="log_loss", max_depth=depth, random_state=0,
        min_weight_fraction_leaf=LEAST_SHARE,
    )  # fmt: skip
    tree.fit(shown[position], label, share)
    rates = _shrunk(seen, tree.apply(shown), tree.tree_.node_count)
    asked = [labels[f] for f in dict.fromkeys(tree.tree_.feature) if f >= 0]
    said = (
        f"{'one threshold' if depth == 1 else 'two questions'} on {', '.join(asked) or labels[0]}"
    )

    def guess(rows: pd.DataFrame) -> Floats:
        found: Floats = rates[tree.apply(_questions(rows, seen, columns)[0])]
        return found

    return guess, said


def _questions(
    rows: pd.DataFrame, seen: pd.DataFrame, columns: Sequence[str]
) -> tuple[Floats, list[str]]:
    """Return numbers that a threshold cuts: a number's own, and one indicator a frequent value."""
    # A first column that never differs, so that there is always one to ask about.
    parts, labels = [np.zeros(len(rows))], ["nothing"]
    for name in columns:
        if pd.api.types.is_numeric_dtype(seen[name]):
            known = seen[name].dropna().astype("float64")
            numbers = rows[name].astype("float64").fillna(known.median() if len(known) else 0.0)
            parts.append(np.clip(numbers.to_numpy("float64"), -1e30, 1e30))
            labels.append(name)
            continue
        for kind in seen[name].dropna().value_counts().index[:20]:
            parts.append((rows[name] == kind).to_numpy("float64"))
            labels.append(f"{name} = {kind}")
    return np.stack(parts, axis=1), labels
