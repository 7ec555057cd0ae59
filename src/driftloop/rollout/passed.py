"""Passed: a bundle to which the gate said yes, or not yet."""

from __future__ import annotations

from datetime import datetime, timedelta

from driftloop.value import Value


class Passed(Value):
    """What is known of it.

    ``onset``: of the change that it was trained after, with ``fresh`` labelled time since then;
    ``predicted``: its mean prediction over the champion's where the gate compared both; ``cause``:
    what the gate owes an answer to, several joined by '+' ('': it said yes).
    """

    version: str
    retraining: int
    data_end: datetime | None
    onset: datetime | None = None
    fresh: timedelta = timedelta(0)
    predicted: float = 1.0
    cause: str = ""
