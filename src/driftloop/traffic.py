"""Traffic: what was asked and what became of it, each with the time it was known.

Two frames. ``requests``: one row per impression or aggregate of equal impressions, with
``row_id`` (str), ``event_time`` (UTC, microseconds), the entity keys, the request-time
features and ``weight`` (impressions, at least 1); where a choice was made, also the columns of
``Business.propensities`` (null where none was). ``outcomes``: ``row_id``, ``event_time``,
``positives`` (clicks, at most the weight), ``known_time`` (UTC) and ``revision`` (0, 1, ...);
a later revision of a row replaces the earlier one from its own known_time on. Where the loop's
objective has classes, ``category`` (str) is the true one, and ``positives`` is the weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from driftloop.loop import LearningLoop
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

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


def require(found: Any, loop: LearningLoop, where: str) -> Traffic:
    """Return ``found``, a use case's traffic; raise InvalidInput for the first fault of its form.

    ``where``: the file whose ``read`` gave it.
    """
    if not isinstance(found, Traffic):
        raise InvalidInput("what read() returns", where, "a Traffic", type(found).__name__)
    features, classes = loop.spec.features, loop.spec.objective.classes
    asked = [*REQUEST_COLUMNS, *features.entities, *features.names(origin="request")]
    told = [*OUTCOME_COLUMNS, *([CATEGORY] if classes else [])]
    parts = {"requests": (found.requests, asked), "outcomes": (found.outcomes, told)}
    for part, (frame, names) in parts.items():
        for name in names:
            if name not in frame:
                raise InvalidInput(f"column '{name}' of the {part}", where, "present", "nothing")
            if name.endswith("_time") and not isinstance(frame[name].dtype, pd.DatetimeTZDtype):
                what = f"column '{name}' of the {part}"
                raise InvalidInput(what, where, "a time with its zone, UTC", str(frame[name].dtype))
    requests = found.requests
    if not requests["event_time"].is_monotonic_increasing:
        raise InvalidInput("the requests", where, "sorted by event_time", "others")
    if not requests["row_id"].is_unique:
        twice = requests.loc[requests["row_id"].duplicated(), "row_id"].iloc[0]
        raise InvalidInput("column 'row_id' of the requests", where, "unique", f"{twice} twice")
    return _of_classes(found, classes, where)


def _of_classes(found: Traffic, classes: tuple[str, ...], where: str) -> Traffic:
    if classes:
        category = found.outcomes[CATEGORY]
        odd = category[category.notna() & ~category.isin(classes)]
        if len(odd):
            allowed = f"one of objective.classes {list(classes)}"
            raise InvalidInput(f"'{CATEGORY}' of an outcome", where, allowed, odd.iloc[0])
    return found
