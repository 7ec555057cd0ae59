"""Traffic: what was asked and what became of it, each with the time it was known.

Two frames. ``requests``: one row per impression or aggregate of equal impressions, with
``row_id`` (str), ``event_time`` (UTC, microseconds), the entity keys, the request-time
features and ``weight`` (impressions, at least 1). ``outcomes``: ``row_id``, ``event_time``,
``positives`` (clicks, at most the weight), ``known_time`` (UTC) and ``revision`` (0, 1, ...);
a later revision of a row replaces the earlier one from its own known_time on. Where the loop's
objective has classes, ``category`` (str) is the true one, and ``positives`` is the weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

REQUEST_COLUMNS = ("row_id", "event_time", "weight")
OUTCOME_COLUMNS = ("row_id", "event_time", "positives", "known_time", "revision")


@dataclass(frozen=True)
class Change:
    """A scheduled change of a simulator, the truth that detections are counted against.

    ``kind``: 'drift' or 'fault'; ``end`` is None for a change that stays.
    """

    name: str
    kind: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class Traffic:
    """A stream to replay, sorted by event_time, with the rows that were set aside.

    ``notes``: sentences on what was done to the data; ``changes``: what a simulator scheduled.
    """

    requests: pd.DataFrame
    outcomes: pd.DataFrame
    rejected: pd.DataFrame
    notes: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
