"""Showcase: one ad a search, chosen by a score, what it brought, and how likely the choice was."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop.business import policy
from usecases.ads_ctr.market import CANDIDATES, Market

Floats = NDArray[np.float64]
Score = Callable[[pd.DataFrame], Floats]
EXPLORED = 0.3
"""Share of the searches in which any of the candidates may be chosen."""


def served(
    market: Market, score: Score, searches: int, days: tuple[int, int], rng: np.random.Generator
) -> pd.DataFrame:
    """Return the candidates of ``searches``, whether each was ``chosen`` and what came of it.

    ``probability``: of being chosen; ``prediction``: its score; ``shown``, ``clicked``: 0 or 1;
    ``earned``: the price of a click.
    """
    found = market.searches(searches, days, rng)
    scores = score(found)
    chances = policy.epsilon_greedy(scores.reshape(-1, CANDIDATES), EXPLORED)
    drawn = (chances.cumsum(axis=1) < rng.random((searches, 1))).sum(axis=1)
    chosen = np.zeros(len(found), dtype=bool)
    chosen[np.minimum(drawn, CANDIDATES - 1) + CANDIDATES * np.arange(searches)] = True
    shown = chosen & (rng.random(len(found)) < market.impression(found))
    clicked = shown & (rng.random(len(found)) < market.click(found))
    return found.assign(
        prediction=scores,
        probability=chances.reshape(-1),
        chosen=chosen,
        shown=shown.astype("float64"),
        clicked=clicked.astype("float64"),
        earned=clicked * market.price(found),
    )


def expected(market: Market, score: Score, found: pd.DataFrame) -> dict[str, float]:
    """Return what always choosing the best score brings on average, a search of ``found``."""
    best = score(found).reshape(-1, CANDIDATES).argmax(axis=1)
    rows = found.iloc[best + CANDIDATES * np.arange(len(best))]
    shown = market.impression(rows)
    earned = shown * market.click(rows) * market.price(rows)
    return {"impressions": float(shown.mean()), "revenue": float(earned.mean())}
