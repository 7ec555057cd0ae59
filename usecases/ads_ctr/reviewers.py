"""Reviewers: labelled pairs of the story, by careful people and by a hasty vendor.

``positives`` is the label as given, ``truth`` what a careful person says, ``weight`` the pairs
that a row stands for.
"""

import numpy as np
import pandas as pd

from usecases.ads_ctr.market import SHOULD_BE_SHOWN, Market

VENDOR, CAREFUL = "vendor", "careful"
VENDORS_SHARE, VENDORS_ERROR = 1 / 3, 0.005
"""Share of the pairs that the vendor labels, and of those that it shows though nobody should."""
SAMPLE = 120_000
LISTED, TESTED, STAND_FOR = 1_500, 600, 100.0
"""Listed pairs to learn from, those to test on, and what a tested negative stands for."""


def sampled(market: Market, days: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
    """Return random pairs of the days with the labels that they were given."""
    pairs = market.pairs(SAMPLE, days, rng)
    truth = rng.random(len(pairs)) < market.should_be_shown(pairs)
    vendors = rng.random(len(pairs)) < VENDORS_SHARE
    hasty = vendors & (rng.random(len(pairs)) < VENDORS_ERROR)
    return pairs.assign(
        truth=truth.astype("float64"),
        positives=(truth | hasty).astype("float64"),
        source=np.where(vendors, VENDOR, CAREFUL),
    ).sort_values("event_time", ignore_index=True)


def with_listed(
    market: Market, rows: pd.DataFrame, days: tuple[int, int], rng: np.random.Generator
) -> pd.DataFrame:
    """Return ``rows`` with pairs that should be shown, of which advertisers keep lists.

    The negatives stand for so many that the share of positives is what the rows' own is.
    """
    listed = market.to_show(LISTED, days, rng)
    listed = listed.assign(truth=1.0, positives=1.0, source=CAREFUL)
    negatives = rows[rows["positives"] == 0]
    rate = max(rows["positives"].sum(), 1.0) / len(rows)
    stand_for = max(1.0, LISTED * (1 - rate) / rate / len(negatives))
    both = pd.concat([listed, negatives.assign(weight=stand_for)], ignore_index=True)
    return both.sort_values("event_time", ignore_index=True)


def test_set(market: Market, days: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
    """Return carefully labelled pairs of the days, with as many positives as there really are."""
    listed = market.to_show(TESTED, days, rng).assign(positives=1.0)
    count = round(TESTED / SHOULD_BE_SHOWN / STAND_FOR)
    negatives = market.pairs(count, days, rng).assign(positives=0.0, weight=STAND_FOR)
    both = pd.concat([listed, negatives], ignore_index=True)
    return both.sort_values("event_time", ignore_index=True)
