"""Review queue: which rows a person should label by hand.

Most are those of which least is known: the mean of the entropy of the classes' probabilities and,
where functions voted, of their votes. A share is drawn at random from all that is left, and says
so: with it the audit's rates (audit.py) have no bias, whatever the model overlooks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from driftloop.labels.classes import Floats
from driftloop.labels.votes import entropy
from driftloop_contracts.errors import InvalidInput

WHERE = "the review queue"
UNCERTAIN, RANDOM = "uncertain", "random"


def choose(
    probabilities: Floats,
    rows: int,
    random: float,
    rng: np.random.Generator,
    *,
    disagreement: Floats | None = None,
    suspicion: Floats | None = None,
) -> pd.DataFrame:
    """Return which rows to review: ``position``, ``chosen_by`` and ``stands_for``, mixed.

    ``probabilities`` [rows, classes]; ``random``: share of the queue drawn at random, one row at
    least; ``disagreement``: of votes, 0 to 1 each row; ``suspicion``: takes the place of both, such
    as the probability that a label is wrong (NaN: last). ``stands_for``: how many rows one speaks
    for, itself alone where it was chosen. Raise InvalidInput for no rows and for a share outside
    (0, 1].

    >>> sure = np.array([[0.99, 0.01]] * 98 + [[0.5, 0.5]] * 2)
    >>> found = choose(sure, 4, 0.5, np.random.default_rng(0))
    >>> sorted(found.loc[found["chosen_by"] == "uncertain", "position"])
    [98, 99]
    """
    size = len(probabilities)
    if rows < 1 or not size:
        raise InvalidInput("the rows", WHERE, "1 or more", min(rows, size))
    if not 0 < random <= 1:
        raise InvalidInput("the random share", WHERE, "above 0 and at most 1", random)
    rows = min(rows, size)
    drawn = min(rows, max(1, round(random * rows)))
    doubt = _doubt(probabilities, disagreement) if suspicion is None else np.asarray(suspicion)
    # A random order first, so that rows of equal doubt come without favour.
    mixed = rng.permutation(size)
    worst = mixed[np.argsort(-np.nan_to_num(doubt[mixed], nan=-1.0), kind="stable")]
    chosen, rest = worst[: rows - drawn], worst[rows - drawn :]
    by_chance = rng.choice(rest, drawn, replace=False)
    found = pd.DataFrame(
        {
            "position": np.concatenate([chosen, by_chance]),
            "chosen_by": [UNCERTAIN] * len(chosen) + [RANDOM] * drawn,
            "stands_for": np.concatenate([np.ones(len(chosen)), np.full(drawn, len(rest) / drawn)]),
        }
    )
    # A reviewer must not see from the place why a row is there.
    return found.iloc[rng.permutation(rows)].reset_index(drop=True)


def _doubt(probabilities: Floats, disagreement: Any) -> Floats:
    own = entropy(np.asarray(probabilities, "float64"))
    return own if disagreement is None else (own + np.asarray(disagreement)) / 2
