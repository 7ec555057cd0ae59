"""Simulator: seeded requests to four departments with a schedule of changes that is known.

A requester asks mostly for one department. The department that takes a request first reports it
hours later; some take what is not theirs, and the request is assigned again, which is a revision.
A few are for a department that nobody would guess from the text.
Three things happen on days that the seed draws:

topic   people begin to ask about travel, which HR answers                           (drift)
words   IT replaces its tools, and requests call them by their new names             (drift)
fault   for some days the texts of many requests are lost on the way                 (fault)
"""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd
from pydantic import Field

from driftloop.loop import LearningLoop
from driftloop.quantities import Share
from driftloop.spec.base import Spec
from driftloop.traffic import Change, Traffic
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput
from usecases.support_routing import wording

FIRST_DAY = pd.Timestamp("2026-03-02", tz="UTC")
DAY = pd.Timedelta(days=1)
SOURCES = {"portal": 0.7, "mail": 0.3}
LOYAL = 0.4
"""Share of a requester's requests that are for the department that he mostly asks."""
TAKEN_HOURS, AGAIN_HOURS = 3.0, 15.0
"""Mean time until a department takes a request, and until it is assigned again."""


class Topic(Spec):
    """Travel takes ``share`` of the requests from its day on."""

    between: tuple[int, int]
    share: Share


class Words(Spec):
    """New words stand in ``share`` of the texts that name IT's tools, from their day on."""

    between: tuple[int, int]
    share: Share


class Fault(Spec):
    """``share`` of the texts are empty for ``days``."""

    between: tuple[int, int]
    days: int = Field(gt=0)
    share: Share


class Scenario(Spec):
    """The simulator's parameters in loop.yaml; ``between``: first and last possible day."""

    days: int = Field(ge=3, le=3650)
    requests_per_day: int = Field(ge=10, le=100_000)
    requesters: int = Field(ge=1)
    sent_astray: Share
    unforeseen: Share
    topic: Topic
    words: Words
    fault: Fault


@dataclass(frozen=True)
class Schedule:
    """The days on which the changes begin."""

    topic: int
    words: int
    fault: int


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the simulated traffic of ``span``."""
    scenario = loop.parameters("simulator", Scenario)
    rng = np.random.default_rng(span.seed)
    schedule = draw_schedule(scenario, rng)
    requests = _requests(scenario, schedule, rng)
    outcomes = _outcomes(requests, scenario, rng)
    requests = _broken(requests.drop(columns=["day", "topic"]), scenario, schedule, rng)
    kept = span.within(requests["event_time"])
    if not kept.any():
        allowed = f"days from {FIRST_DAY:%Y-%m-%d} on, {scenario.days} of them"
        got = f"{span.first}..{span.last}"
        raise InvalidInput("--from and --to", "the simulator", allowed, got)
    ids = requests.loc[kept, "row_id"]
    return Traffic(
        requests[kept].reset_index(drop=True),
        outcomes[outcomes["row_id"].isin(ids)].reset_index(drop=True),
        requests.iloc[:0].assign(reason=pd.Series(dtype=str)),
        (f"Simulated with seed {span.seed}.",),
        changes_of(scenario, schedule),
    )


def draw_schedule(scenario: Scenario, rng: np.random.Generator) -> Schedule:
    """Return the days that this seed gives the changes."""
    changes = (scenario.topic, scenario.words, scenario.fault)
    return Schedule(*(int(rng.integers(one.between[0], one.between[1] + 1)) for one in changes))


def changes_of(scenario: Scenario, schedule: Schedule) -> tuple[Change, ...]:
    """Return the schedule as the truth that detections are counted against."""
    topic, words, fault = (
        (FIRST_DAY + day * DAY).to_pydatetime()
        for day in (schedule.topic, schedule.words, schedule.fault)
    )
    return (
        Change("travel requests", "drift", topic, None),
        Change("new words of IT", "drift", words, None),
        Change("empty texts", "fault", fault, fault + timedelta(days=scenario.fault.days)),
    )


def _requests(scenario: Scenario, schedule: Schedule, rng: np.random.Generator) -> pd.DataFrame:
    """Return every request with its topic and the department that it is for."""
    size = scenario.days * scenario.requests_per_day
    offset = np.sort(rng.uniform(0, scenario.days, size))
    requester = rng.integers(scenario.requesters, size=size)
    topic = drawn_topics(requester, rng)
    topic[(offset >= schedule.topic) & (rng.random(size) < scenario.topic.share)] = wording.NEW
    renamed = (offset >= schedule.words) & (rng.random(size) < scenario.words.share)
    times = FIRST_DAY + pd.to_timedelta((offset * 86_400_000_000).astype("int64"), unit="us")
    return pd.DataFrame(
        {
            "row_id": [f"request-{number}" for number in range(size)],
            "event_time": pd.DatetimeIndex(times).as_unit("us"),
            "requester_id": requester,
            "message": wording.written(topic, renamed, rng),
            "source": rng.choice([*SOURCES], size, p=[*SOURCES.values()]).astype(object),
            "weight": 1.0,
            "day": offset,
            "topic": topic,
        }
    )


def drawn_topics(requester: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the topic of each request, often one of the requester's usual department."""
    topics = np.array(wording.KNOWN, dtype=object)
    usual = [*dict.fromkeys(wording.TOPICS[name][0] for name in topics)]
    own = np.array(
        [[name for name in topics if wording.TOPICS[name][0] == one] for one in usual], dtype=object
    )
    size = len(requester)
    loyal = own[requester % len(usual), rng.integers(own.shape[1], size=size)]
    return np.where(rng.random(size) < LOYAL, loyal, topics[rng.integers(len(topics), size=size)])


def _outcomes(requests: pd.DataFrame, scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """Return who took each request, and who answered it where it was assigned again."""
    size = len(requests)
    truth = requests["topic"].map({name: one[0] for name, one in wording.TOPICS.items()})
    departments = np.array([*dict.fromkeys(one[0] for one in wording.TOPICS.values())], object)
    other, unforeseen = departments[rng.integers(len(departments), size=(2, size))]
    truth = truth.where(rng.random(size) >= scenario.unforeseen, unforeseen)
    astray = (rng.random(size) < scenario.sent_astray) & (other != truth)
    taken = requests["event_time"] + _hours(0.1 + rng.exponential(TAKEN_HOURS, size))
    first = pd.DataFrame(
        {
            "row_id": requests["row_id"],
            "event_time": requests["event_time"],
            "positives": 1.0,
            "category": np.where(astray, other, truth).astype(object),
            "known_time": taken,
            "revision": 0,
        }
    )
    again = taken + _hours(1 + rng.exponential(AGAIN_HOURS, size))
    second = first.assign(category=truth, known_time=again, revision=1)[astray]
    outcomes = pd.concat([first, second], ignore_index=True)
    times = {name: "datetime64[us, UTC]" for name in ("event_time", "known_time")}
    return outcomes.astype(times).sort_values("known_time", kind="stable", ignore_index=True)


def _hours(count: np.ndarray) -> pd.TimedeltaIndex:
    return pd.to_timedelta((count * 3.6e9).astype("int64"), unit="us")


def _broken(
    requests: pd.DataFrame, scenario: Scenario, schedule: Schedule, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the requests as they arrive: while the fault lasts, many without their text."""
    day = (requests["event_time"] - FIRST_DAY) / DAY
    inside = (day >= schedule.fault) & (day < schedule.fault + scenario.fault.days)
    lost = inside & (rng.random(len(requests)) < scenario.fault.share)
    return requests.assign(message=requests["message"].where(~lost, None))
