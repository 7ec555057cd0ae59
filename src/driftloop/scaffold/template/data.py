"""Data: where the traffic comes from. Replace the simulator by your log; its rules stay.

Every request has the time it was made, every outcome the time it was known; a seed decides all.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pydantic import Field

from driftloop.loop import LearningLoop
from driftloop.quantities import Share
from driftloop.spec.base import Spec
from driftloop.traffic import Change, Traffic
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput

SIMULATOR = "simulator"
FIRST_DAY = pd.Timestamp("2026-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
CHANNELS = {"search": 0.2, "mail": 0.6, "link": -0.3}
"""Effect of each channel on the log-odds of a return."""
NEW_CHANNEL, NEW_EFFECT, NEW_SHARE = "video", -1.5, 0.4
"""The channel that takes a part of the traffic later on: the drift to be found."""


class Scenario(Spec):
    """The simulator's parameters in loop.yaml; ``newChannelAfter``: in days."""

    days: int = Field(ge=3, le=3650)
    visits_per_day: int = Field(ge=10, le=1_000_000)
    visitors: int = Field(ge=1)
    base_rate: Share
    new_channel_after: int = Field(ge=1)


@dataclass(frozen=True)
class Visits:
    """The simulated columns, one value a visit."""

    time: pd.DatetimeIndex
    visitor: np.ndarray
    channel: np.ndarray
    pages: np.ndarray
    rate: np.ndarray


def source_name(span: Span) -> str:
    """Return which of loop.yaml's sources ``span`` reads."""
    if span.data:
        raise InvalidInput(
            "--data", "the command", "absent: read your own log in data.py", span.data
        )
    return SIMULATOR


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the traffic of ``span``."""
    source_name(span)
    scenario, rng = loop.parameters(SIMULATOR, Scenario), np.random.default_rng(span.seed)
    visits = _visits(scenario, rng)
    requests = pd.DataFrame(
        {
            "row_id": [f"visit-{number}" for number in range(len(visits.time))],
            "event_time": visits.time,
            "visitor_id": visits.visitor,
            "channel": visits.channel,
            "pages": visits.pages,
            "weight": 1.0,
        }
    )
    requests = _within(requests, span)
    returned = rng.random(len(visits.rate)) < visits.rate
    outcomes = pd.DataFrame(
        {
            "row_id": requests["row_id"],
            "event_time": requests["event_time"],
            "positives": returned[requests.index].astype(float),
            "known_time": requests["event_time"] + pd.Timedelta(hours=6),
            "revision": 0,
        }
    )
    requests, outcomes = requests.reset_index(drop=True), outcomes.reset_index(drop=True)
    return Traffic(
        requests, outcomes, requests.iloc[:0].assign(reason=""), changes=_changes(scenario)
    )


def _visits(scenario: Scenario, rng: np.random.Generator) -> Visits:
    size = scenario.days * scenario.visits_per_day
    offset = np.sort(rng.uniform(0, scenario.days * 86_400, size))
    time = pd.DatetimeIndex(FIRST_DAY + pd.to_timedelta(offset, unit="s")).as_unit("us")
    visitor = rng.integers(scenario.visitors, size=size)
    channel = rng.choice(list(CHANNELS), size)
    is_new = (offset >= scenario.new_channel_after * 86_400) & (rng.random(size) < NEW_SHARE)
    channel = np.where(is_new, NEW_CHANNEL, channel)
    pages = rng.poisson(3.0, size).astype(float)
    loyal = rng.normal(0, 0.7, scenario.visitors)[visitor]
    effects = CHANNELS | {NEW_CHANNEL: NEW_EFFECT}
    odds = np.log(scenario.base_rate / (1 - scenario.base_rate)) + loyal + 0.2 * (pages - 3)
    odds += np.array([effects[one] for one in channel])
    return Visits(time, visitor, channel.astype(object), pages, 1 / (1 + np.exp(-odds)))


def _changes(scenario: Scenario) -> tuple[Change, ...]:
    start = (FIRST_DAY + scenario.new_channel_after * DAY).to_pydatetime()
    return (Change(NEW_CHANNEL, "drift", start, None),)


def _within(requests: pd.DataFrame, span: Span) -> pd.DataFrame:
    requests = requests[span.within(requests["event_time"])]
    if requests.empty:
        allowed = "days that the simulator covers"
        raise InvalidInput("--from, --to", "the command", allowed, f"{span.first}, {span.last}")
    return requests
