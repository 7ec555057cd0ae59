"""Dependence: voters that agree more often than the label model can explain.

The model takes voters as independent given the true class. A copy counts twice then, in the end
the model takes the copied voter for the truth, and the probabilities are surer than they are
right. What the model no longer explains is then the agreement of the others: pairs say that there
is dependence, not that it is theirs. Of two voters that both voted on n rows, the rows on
which they agree are compared with what their confusion matrices lead to expect,

    z   = (A - sum of e_i) / sqrt(sum of e_i (1 - e_i))
    e_i = sum over k of P(k | i) sum over l of pi_a[k, l] pi_b[k, l]
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from driftloop.labels.label_model import LabelModel
from driftloop.labels.votes import Votes

SURE = 4.0
"""z from which two voters are called dependent."""
LARGE = 0.03
"""Excess of agreement below which it does no harm worth telling."""


@dataclass(frozen=True)
class Dependent:
    """Two voters with the share of common rows on which they agree, seen and expected."""

    first: str
    second: str
    rows: int
    agreement: float
    expected: float

    def sentence(self) -> str:
        """Return what a person should know."""
        return (
            f"'{self.first}' and '{self.second}' agree on {self.agreement:.0%} of {self.rows} rows"
            f" where the model expects {self.expected:.0%}: some functions are not independent,"
            " and the probabilities may be too sure."
        )


def dependent(votes: Votes, model: LabelModel) -> list[Dependent]:
    """Return the pairs of voters that agree more than the model of them expects."""
    found = []
    for a, b in combinations(range(len(votes.voters)), 2):
        both = votes.cast[:, a] & votes.cast[:, b]
        if not both.any():
            continue
        alike = (model.confusion[a] * model.confusion[b]).sum(axis=1)
        expected = model.probabilities[both] @ alike
        agree = votes.codes[both, a] == votes.codes[both, b]
        spread = np.sqrt(max(float((expected * (1 - expected)).sum()), 1e-12))
        excess = float(agree.mean() - expected.mean())
        if excess > LARGE and excess * len(agree) > SURE * spread:
            names = votes.voters[a], votes.voters[b]
            found.append(Dependent(*names, len(agree), float(agree.mean()), float(expected.mean())))
    return found
