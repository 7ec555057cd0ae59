"""Bank: the story's world, its requests with the truth, who reads them, and how long that takes.

What a stage may see of a request is its text, its sender and where it came in. ``category`` is the
department that can answer it; ``topic`` is what it is about. From the day TRAVEL on people ask
about travel, which nobody in the bank has foreseen.
"""

import numpy as np
import pandas as pd

from driftloop.labels import review_queue
from usecases.support_routing import simulator, wording

FIRST_DAY = pd.Timestamp("2026-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
TRAVEL, TRAVELS = 120, 0.25
"""The day from which on people ask about travel, and the share of requests that do."""
A_DAY, REQUESTERS = 280, 400
BORROWED, OF_AN_ACCOUNT = 0.4, 0.5
"""Shares: of requests with a word of another topic, of money matters that name an account."""
UNFORESEEN, MISREAD = 0.03, 0.01
"""Shares: of requests that a text does not tell the department of, and that reviewers misread."""
CASES = 300
MINUTES = {"waiting to be routed": 95.0, "reading and routing": 2.0, "answering": 30.0}
"""Mean minutes of a step each time; one request in seven is routed twice."""
AGAIN = 1 / 7


class Bank:
    """One bank; ``seed`` draws whatever it does."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def requests(self, days: tuple[int, int], rng: np.random.Generator) -> pd.DataFrame:
        """Return the requests of the days, in order of time."""
        size = (days[1] - days[0]) * A_DAY
        offset = np.sort(rng.uniform(*days, size))
        requester = rng.integers(REQUESTERS, size=size)
        topic = simulator.drawn_topics(requester, rng)
        topic[(offset >= TRAVEL) & (rng.random(size) < TRAVELS)] = wording.NEW
        truth = np.array([wording.TOPICS[name][0] for name in topic], dtype=object)
        texts = wording.written(topic, np.zeros(size, bool), rng, BORROWED)
        names_account = (truth == "accounting") & (rng.random(size) < OF_AN_ACCOUNT)
        texts[names_account] += " account"
        unforeseen = rng.random(size) < UNFORESEEN
        departments = np.array(sorted({one for one, _ in wording.TOPICS.values()}), dtype=object)
        truth = np.where(unforeseen, departments[rng.integers(4, size=size)], truth)
        times = FIRST_DAY + pd.to_timedelta((offset * 86_400_000_000).astype("int64"), unit="us")
        return pd.DataFrame(
            {
                "event_time": pd.DatetimeIndex(times).as_unit("us"),
                "requester_id": requester,
                "message": texts,
                "source": rng.choice(["mail", "portal"], size).astype(object),
                "weight": 1.0,
                "positives": 1.0,
                "category": truth,
                "topic": topic,
            }
        )

    def steps(self, rng: np.random.Generator) -> pd.DataFrame:
        """Return how long each step took of some requests, as today's log has them."""
        case = np.repeat(np.arange(CASES), np.where(rng.random(CASES) < AGAIN, 2, 1))
        parts = [
            pd.DataFrame({"case": of, "step": step, "minutes": rng.gamma(2.0, mean / 2, len(of))})
            for step, mean in MINUTES.items()
            for of in [np.arange(CASES) if step == "answering" else case]
        ]
        return pd.concat(parts, ignore_index=True)


def reviewed(rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Return the departments that careful people read out of the texts."""
    departments = np.array(sorted(rows["category"].unique()), dtype=object)
    slip = rng.random(len(rows)) < MISREAD
    other = departments[rng.integers(len(departments), size=len(rows))]
    return np.where(slip, other, rows["category"].to_numpy(object))


def queue(chances: np.ndarray, rows: int, random: float, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of the rows that reviewers get, the doubtful ones and some by chance."""
    found: np.ndarray = review_queue.choose(chances, rows, random, rng)["position"].to_numpy()
    return found
