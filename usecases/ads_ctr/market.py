"""Market: the world of the story, in which it is known which ads should be shown and which pay.

A search brings candidate ads. An ad of the searched category matches better; a broad one, that
suits any search, is let through more often and clicked less. Which ads should be shown changes
on a day that the seed draws: the tastes of half of the categories, and what a format is worth.
What people click on does not change.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]

FIRST_DAY = pd.Timestamp("2026-01-01", tz="UTC")
CATEGORIES = ("boots", "jackets", "tents", "climbing", "cycling", "running", "packs", "maps")
FORMATS = ("text", "image", "video", "carousel")
DEVICES = ("mobile", "desktop", "tablet")
QUERIES, ADS, CAMPAIGNS = 400, 600, 24
DRAWN, CANDIDATES = 30, 6
"""Ads that a search finds, and those of them, the best matches, that may be shown."""
SHOULD_BE_SHOWN = 1e-4
"""Share of all pairs of a query and an ad: one in 10,000."""
LET_THROUGH = 10.5
"""How much laxer the auction is than a reviewer, in log-odds."""
FORMAT_WORTH = np.array([[2.0, 0.0, -2.0, 0.0], [-2.0, 0.0, 2.0, 0.0]])
"""What a format is worth before the change and after it, in log-odds."""
MATCH, BROAD, SPREAD = 2.0, 6.0, 0.8
CLICK, DULL = -0.5, 6.0


@dataclass(frozen=True)
class Ads:
    """Every ad: its campaign and format (codes), how broad it is, its appeal and price a click."""

    campaign: NDArray[np.int64]
    format: NDArray[np.int64]
    broad: Floats
    appeal: Floats
    price: Floats


class Market:
    """Pairs of queries and ads, what should be shown of them, and what people do."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        self.changes_on = int(rng.integers(70, 91))
        self.ads = Ads(
            campaign=rng.integers(0, CAMPAIGNS, ADS),
            format=rng.integers(0, len(FORMATS), ADS),
            broad=rng.random(ADS),
            appeal=rng.normal(0, 0.7, ADS),
            price=rng.lognormal(-0.7, 0.3, ADS).round(2),
        )
        self._campaigns = rng.normal(0, 1.3, CAMPAIGNS)
        self._tastes = self._drawn_tastes(rng)
        self._base = 0.0
        self._base = self._for_share(self.pairs(400_000, (0, 60), rng))

    @staticmethod
    def _drawn_tastes(rng: np.random.Generator) -> Floats:
        """Return what a category is worth before the change and after it, [2, categories]."""
        before = rng.normal(0, 1.0, len(CATEGORIES))
        after = before.copy()
        changed = rng.choice(len(CATEGORIES), len(CATEGORIES) // 2, replace=False)
        after[changed] = rng.normal(0, 1.0, len(changed))
        return np.stack([before, after])

    def _for_share(self, pairs: pd.DataFrame) -> float:
        """Return the log-odds with which one pair in 10,000 should be shown (by bisection)."""
        own, low, high = self._log_odds(pairs), -40.0, 10.0
        while high - low > 1e-6:
            middle = (low + high) / 2
            more = special.expit(own + middle).mean() > SHOULD_BE_SHOWN
            low, high = (low, middle) if more else (middle, high)
        return low

    def pairs(self, count: int, days: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
        """Return random pairs of the days [first, last)."""
        queries, ads = rng.integers(0, QUERIES, count), rng.integers(0, ADS, count)
        return self._described(queries, ads, rng.integers(*days, count), rng)

    def to_show(self, count: int, days: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
        """Return pairs of the days that should be shown, as advertisers' lists name them.

        Drawn by the odds of being shown, which multiply over a pair's parts, and kept with the
        chance 1 / (1 + odds): that is by the chance itself.
        """
        kept: list[pd.DataFrame] = []
        while sum(map(len, kept)) < count:
            day = rng.integers(*days, 2 * count)
            late = day >= self.changes_on
            pair = np.empty(len(day), dtype="int64")
            for side in (False, True):
                mine = late == side
                pair[mine] = rng.choice(QUERIES * ADS, int(mine.sum()), p=self._odds(int(side)))
            drawn = self._described(pair // ADS, pair % ADS, day, rng, MATCH * SPREAD**2)
            kept.append(drawn[rng.random(len(drawn)) > self.should_be_shown(drawn)])
        found: pd.DataFrame = pd.concat(kept, ignore_index=True).head(count)
        return found.sort_values("event_time", ignore_index=True)

    def _odds(self, late: int) -> Floats:
        """Return each pair's share of all odds of being shown, [queries * ads]."""
        query, ad = np.divmod(np.arange(QUERIES * ADS), ADS)
        same = query % len(CATEGORIES) == ad % len(CATEGORIES)
        odds = np.exp(self._worth(query, ad, late) + MATCH * np.where(same, 1.0, -1.0))
        found: Floats = odds / odds.sum()
        return found

    def searches(self, count: int, days: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
        """Return the candidates of ``count`` searches, those of a ``search`` one after another."""
        query = np.repeat(rng.integers(0, QUERIES, count), DRAWN)
        day = np.repeat(np.sort(rng.integers(*days, count)), DRAWN)
        found = self._described(query, rng.integers(0, ADS, count * DRAWN), day, rng)
        match = found["match"].to_numpy().reshape(count, DRAWN)
        best = np.argsort(-match, axis=1)[:, :CANDIDATES]
        rows = (best + DRAWN * np.arange(count)[:, None]).reshape(-1)
        kept = found.iloc[rows].reset_index(drop=True)
        return kept.assign(search=np.repeat(np.arange(count), CANDIDATES))

    def should_be_shown(self, pairs: pd.DataFrame) -> Floats:
        """Return the chance that a careful person says so."""
        found: Floats = special.expit(self._log_odds(pairs))
        return found

    def impression(self, pairs: pd.DataFrame) -> Floats:
        """Return the chance that the auction lets an ad through once it is chosen."""
        found: Floats = special.expit(self._log_odds(pairs) + LET_THROUGH)
        return found

    def click(self, pairs: pd.DataFrame) -> Floats:
        """Return the chance that an impression is clicked."""
        ad = pairs["ad_id"].to_numpy()
        odds = CLICK + 0.5 * pairs["match"] + 1.2 * self.ads.appeal[ad] - DULL * self.ads.broad[ad]
        found: Floats = special.expit(odds.to_numpy("float64"))
        return found

    def price(self, pairs: pd.DataFrame) -> Floats:
        """Return what a click on the ad brings."""
        return self.ads.price[pairs["ad_id"].to_numpy()]

    def _described(
        self,
        query: NDArray[np.int64],
        ad: NDArray[np.int64],
        day: NDArray[np.int64],
        rng: np.random.Generator,
        match: float = 0.0,
    ) -> pd.DataFrame:
        """Return what is known of pairs; ``match``: how much better than usual they match."""
        size, category = len(query), query % len(CATEGORIES)
        same = category == ad % len(CATEGORIES)
        seconds = pd.to_timedelta(day * 86_400 + rng.integers(0, 86_400, size), unit="s")
        columns = {
            "event_time": (FIRST_DAY + seconds).astype("datetime64[us, UTC]"),
            "query_id": query,
            "ad_id": ad,
            "category": np.array(CATEGORIES, dtype=object)[category],
            "campaign": np.array([f"c{n}" for n in range(CAMPAIGNS)], dtype=object)[
                self.ads.campaign[ad]
            ],
            "format": np.array(FORMATS, dtype=object)[self.ads.format[ad]],
            "device": np.array(DEVICES, dtype=object)[rng.integers(0, len(DEVICES), size)],
            "match": np.where(same, 1.0, -1.0) + rng.normal(match, SPREAD, size),
            "broad": self.ads.broad[ad],
            "quality": self.ads.appeal[ad] + rng.normal(0, 0.3, size),
            "weight": np.ones(size),
        }
        return pd.DataFrame(columns)

    def _log_odds(self, pairs: pd.DataFrame) -> Floats:
        change = FIRST_DAY + pd.Timedelta(days=self.changes_on)
        late = (pairs["event_time"] >= change).to_numpy().astype(int)
        worth = self._worth(pairs["query_id"].to_numpy(), pairs["ad_id"].to_numpy(), late)
        found: Floats = self._base + worth + MATCH * pairs["match"].to_numpy()
        return found

    def _worth(
        self, query: NDArray[np.int64], ad: NDArray[np.int64], late: NDArray[np.int64] | int
    ) -> Floats:
        """Return what pairs are worth beside their match, in log-odds; ``late``: 0 or 1."""
        taste = self._tastes[late, query % len(CATEGORIES)]
        own = BROAD * self.ads.broad[ad] + self._campaigns[self.ads.campaign[ad]]
        found: Floats = own + taste + FORMAT_WORTH[late, self.ads.format[ad]]
        return found
