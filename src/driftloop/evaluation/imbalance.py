"""Imbalance: a model that says no to everything, which accuracy cannot tell.

Of rows with one positive in 10,000 always saying no is right in 99.99 %. A model is found to say
no to everything where next to no positive reaches the threshold from which one says yes, and
where nothing shows that it knows more than a constant: neither its loss is surely below the
constant's, nor are positives surely ranked before negatives. Both are one-sided at half of
1 - confidence, so a model without skill passes for skilled at most so often. Where positives are
fewer than it takes, more of them are what the loop has to go back for.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import difference, loss, positives, ranking
from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats, Interval
from driftloop.evaluation.ranking import Ranking
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop_contracts.errors import InvalidInput

WHERE = "the scored rows"
THRESHOLD = 0.5
"""From where on a probability is a yes, unless said: where accuracy takes it for one."""
NEXT_TO_NONE = 0.01
"""Share of the positives of which a model may catch fewer and is said to say no to all."""
UNLEARNT = 0.05
"""The same of a model that saw too few positives to learn from."""
RESAMPLES = 500
SEED = 0


@dataclass(frozen=True)
class NoToAll:
    """What a model's probabilities are worth where positives are rare.

    ``flagged``: share of impressions that reach ``threshold``; ``caught``: share of the positives
    that do; ``accuracy_of_no``: of always saying no; ``area``: under the ROC curve, None without
    both classes; ``loss``: relative difference to the constant's; ``known``: positives that the
    model was fitted on (None: not told); ``needed``: positives it takes, to be judged or learnt.
    """

    impressions: float
    positives: float
    threshold: float
    highest: float
    flagged: float
    caught: float
    accuracy: float
    accuracy_of_no: float
    average_precision: float | None
    area: Interval | None
    loss: Interval
    known: float | None
    needed: int

    @property
    def rate(self) -> float:
        """Return the share of positives, which is the average precision of chance."""
        return self.positives / self.impressions

    @property
    def has_skill(self) -> bool:
        """Return whether it surely knows more than a constant."""
        return self.loss.high < 0 or (self.area is not None and self.area.low > 0.5)

    @property
    def found(self) -> bool:
        """Return whether the model says no to everything and shows no skill."""
        return self.caught < NEXT_TO_NONE and not self.has_skill

    @property
    def is_unlearnt(self) -> bool:
        """Return whether it says no to nearly all and saw fewer positives than it takes to learn.

        It may rank a little all the same; what it knows is then those few positives.
        """
        return self.caught < UNLEARNT and self.known is not None and self.known < self.needed

    @property
    def is_short(self) -> bool:
        """Return whether there are fewer positives than it takes."""
        seen = (self.positives, *([] if self.known is None else [self.known]))
        return min(seen) < self.needed

    @property
    def sentence(self) -> str:
        """Return what is known in a few sentences."""
        return " ".join((self._caught(), self._accuracy(), self._skill(), self._needed()))

    def warnings(self) -> list[str]:
        """Return the sentence where a model says no to everything, else nothing."""
        return [self.sentence] if self.found else []

    def returned(self) -> Returned | None:
        """Return that the loop goes back for more positives, where it does."""
        lacks = (self.found and self.is_short) or self.is_unlearnt
        return RULES["few_positives"].returned(self.sentence) if lacks else None

    def to_data(self) -> dict[str, Any]:
        """Return the numbers, what follows, and the sentence."""
        own = asdict(self) | {"area": list(self.area) if self.area else None}
        told = {name: getattr(self, name) for name in ("rate", "has_skill", "found", "sentence")}
        return own | {"loss": self.loss.listed()} | told

    def _caught(self) -> str:
        says_no = self.found or self.is_unlearnt
        all_of_it = "everything" if self.caught < NEXT_TO_NONE else "nearly everything"
        verb = f"says no to {all_of_it}" if says_no else "is judged on rare positives"
        return (
            f"The model {verb}: {self.caught:.1%} of {self.positives:.0f} positives in "
            f"{self.impressions:.0f} impressions reach {self.threshold:.2%}, and its highest "
            f"probability is {self.highest:.3%}."
        )

    def _accuracy(self) -> str:
        return (
            f"Its accuracy of {self.accuracy:.4%} says nothing: always saying no has "
            f"{self.accuracy_of_no:.4%}."
        )

    def _skill(self) -> str:
        compared = (
            f"its loss differs from a constant's by {self.loss.estimate:+.2%} "
            f"[{self.loss.low:+.2%}, {self.loss.high:+.2%}]."
        )
        if self.area is None or self.average_precision is None:
            return f"Of one class alone no ranking is known; {compared}"
        return (
            f"Average precision is {self.average_precision:.3g}, by chance {self.rate:.3g}; a "
            f"positive ranks before a negative in {self.area.estimate:.0%} "
            f"[{self.area.low:.0%}, {self.area.high:.0%}], by chance 50%; {compared}"
        )

    def _needed(self) -> str:
        known = "" if self.known is None else f" and the fit saw {self.known:.0f}"
        return f"It takes about {self.needed} positives; here are {self.positives:.0f}{known}."


def says_no_to_everything(
    scored: pd.DataFrame,
    entity: str | None = None,
    *,
    probability: str = "probability",
    threshold: float = THRESHOLD,
    rate: float | None = None,
    known: float | None = None,
    parameters: int | None = None,
    confidence: float = 0.95,
) -> NoToAll:
    """Return what a model's probabilities of rows that it has not seen are worth.

    ``scored``: weight (at least 1), positives (0 to weight) and the column ``probability``;
    ``entity``: the column whose rows rise and fall together (None: each row alone); ``rate``: the
    constant to compare with (None: the rows' own); ``known``: positives of the fit;
    ``parameters``: what it learnt. Raise InvalidInput for a missing column and nonsense numbers.
    """
    p, k, n = _numbers(scored, probability)
    groups = pd.Series(np.arange(len(scored))) if entity is None else _column(scored, entity)
    codes = pd.factorize(groups, use_na_sentinel=False)[0]
    half = 1 - (1 - confidence) / 2
    constant = float((k.sum() + 0.5) / (n.sum() + 1)) if rate is None else rate
    ranked = ranking.rank(p, k, n, codes)
    yes = p >= threshold
    right = float(k[yes].sum() + (n - k)[~yes].sum())
    return NoToAll(
        impressions=float(n.sum()),
        positives=float(k.sum()),
        threshold=threshold,
        highest=float(p.max()),
        flagged=float(n[yes].sum() / n.sum()),
        caught=float(k[yes].sum() / k.sum()) if k.sum() else 0.0,
        accuracy=right / float(n.sum()),
        accuracy_of_no=float(1 - k.sum() / n.sum()),
        average_precision=ranked.average_precision if ranked else None,
        area=_area(ranked, half),
        loss=_against(p, k, n, constant, pd.Series(codes)).interval(half),
        known=known,
        needed=_needed(parameters, constant),
    )


def _against(
    p: Floats, k: Floats, n: Floats, constant: float, groups: pd.Series[Any]
) -> difference.Estimate:
    """Return the relative difference of loss to the constant's; of few entities no resample."""
    columns = {
        "own": loss.log_loss(p, k, n),
        "constant": loss.log_loss(np.full(len(p), constant), k, n),
    }
    resamples = RESAMPLES if groups.nunique() >= FEWEST_ENTITIES else 0
    rng = np.random.default_rng(SEED)
    return difference.resample(columns, groups, resamples, rng).relative("own", "constant")


def _area(ranked: Ranking | None, confidence: float) -> Interval | None:
    return ranked.interval(confidence) if ranked else None


def _needed(parameters: int | None, rate: float) -> int:
    learnt = positives.to_learn(parameters, rate) if parameters and 0 < rate < 1 else 0
    return max(positives.to_judge(), learnt)


def _numbers(scored: pd.DataFrame, probability: str) -> tuple[Floats, Floats, Floats]:
    if scored.empty:
        raise InvalidInput("rows", WHERE, "at least 1", 0)
    columns = (probability, "positives", "weight")
    p, k, n = (pd.to_numeric(_column(scored, c), errors="coerce") for c in columns)
    sound = (p >= 0) & (p <= 1) & (k >= 0) & (k <= n) & (n > 0) & np.isfinite(n)
    if not sound.all():
        got = scored.loc[~sound.to_numpy(), list(columns)].iloc[0].to_dict()
        allowed = "a probability from 0 to 1 and positives from 0 to weight"
        raise InvalidInput("a row", WHERE, allowed, got)
    first, second, third = (one.to_numpy("float64") for one in (p, k, n))
    return first, second, third


def _column(scored: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in scored:
        raise InvalidInput(f"column '{name}'", WHERE, "present", list(scored.columns))
    column: pd.Series[Any] = scored[name]
    return column
