"""Simulator: seeded ad traffic with a schedule of changes that is known.

A search brings a query of some category; an ad of some campaign is shown at a position on a
device to a user, whose interest an upstream service estimates as ``relevance``. Clicks follow a
logistic model and come hours later. Three changes happen on days that the seed draws:

season    part of the traffic moves to new categories with other click rates     (drift)
campaign  the largest campaign is replaced by a new one of other quality         (drift)
fault     the upstream of ``relevance`` breaks for some days: null, stuck or in another unit
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

FIRST_DAY = pd.Timestamp("2026-01-01", tz="UTC")
DAY = pd.Timedelta(days=1)
CATEGORIES = ("boots", "jackets", "tents", "climbing", "cycling", "running", "packs", "maps")
SEASON = ("ski", "snowshoes", "avalanche")
CAMPAIGNS = {"brand": 0.35, "outlet": 0.25, "new": 0.2, "local": 0.2}
SUCCESSOR = "relaunch"
POSITIONS = {"1": 0.0, "2": -0.4, "3": -0.8, "4": -1.1}
DEVICES = {"mobile": 0.0, "desktop": 0.2, "tablet": -0.1}
QUERIES_PER_CATEGORY, ADS_PER_CAMPAIGN = 25, 12
RELEVANCE_EFFECT, DISCOUNT_EFFECT = 0.5, 1.0
CLICK_DELAY_HOURS = 3.0


class Season(Spec):
    """New categories take ``share`` of the traffic; ``effects``: each one's log-odds."""

    between: tuple[int, int]
    share: Share
    effects: tuple[float, float, float]


class Campaign(Spec):
    """The largest campaign's successor: its log-odds and mean discount; ``share``: of traffic."""

    between: tuple[int, int]
    share: Share
    effect: float
    discount: float


class Fault(Spec):
    """The upstream of relevance is broken for ``days``."""

    between: tuple[int, int]
    days: int = Field(gt=0)


class Scenario(Spec):
    """The simulator's parameters in loop.yaml; ``between``: first and last possible day."""

    days: int = Field(ge=3, le=3650)
    impressions_per_day: int = Field(ge=10, le=1_000_000)
    base_ctr: Share
    late_clicks: Share
    season: Season
    campaign: Campaign
    fault: Fault


@dataclass(frozen=True)
class Schedule:
    """The days on which the changes begin, and the form of the fault."""

    season: int
    campaign: int
    fault: int
    form: str


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the simulated traffic of ``span``."""
    scenario = loop.parameters("simulator", Scenario)
    rng = np.random.default_rng(span.seed)
    schedule = draw_schedule(scenario, rng)
    requests = _requests(scenario, schedule, rng)
    outcomes = _outcomes(requests, scenario, loop.spec.data.label_maturity, rng)
    requests = _broken(requests.drop(columns="log_odds"), scenario, schedule)
    kept = span.within(requests["event_time"])
    if not kept.any():
        allowed = f"days from {FIRST_DAY:%Y-%m-%d} on, {scenario.days} of them"
        raise InvalidInput(
            "--from and --to", "the simulator", allowed, f"{span.first}..{span.last}"
        )
    ids = requests.loc[kept, "row_id"]
    return Traffic(
        requests[kept].reset_index(drop=True),
        outcomes[outcomes["row_id"].isin(ids)].reset_index(drop=True),
        requests.iloc[:0].assign(reason=pd.Series(dtype=str)),
        (f"Simulated with seed {span.seed}; the broken feature is {schedule.form}.",),
        changes_of(scenario, schedule),
    )


def draw_schedule(scenario: Scenario, rng: np.random.Generator) -> Schedule:
    """Return the days that this seed gives the changes."""
    days = [
        int(rng.integers(change.between[0], change.between[1] + 1))
        for change in (scenario.season, scenario.campaign, scenario.fault)
    ]
    return Schedule(*days, form=str(rng.choice(["null", "stuck", "another unit"])))


def changes_of(scenario: Scenario, schedule: Schedule) -> tuple[Change, ...]:
    """Return the schedule as the truth that detections are counted against."""
    starts = [
        (FIRST_DAY + day * DAY).to_pydatetime()
        for day in (schedule.season, schedule.campaign, schedule.fault)
    ]
    fault_end = starts[2] + timedelta(days=scenario.fault.days)
    return (
        Change("new product season", "drift", starts[0], None),
        Change("campaign change", "drift", starts[1], None),
        Change(f"relevance {schedule.form}", "fault", starts[2], fault_end),
    )


def _requests(scenario: Scenario, schedule: Schedule, rng: np.random.Generator) -> pd.DataFrame:
    """Return every impression with its true log-odds of a click."""
    size = scenario.days * scenario.impressions_per_day
    day = np.repeat(np.arange(scenario.days), scenario.impressions_per_day)
    second = np.sort(rng.random((scenario.days, scenario.impressions_per_day)) * 86400, axis=1)
    frame = pd.DataFrame({"day": day})
    frame["event_time"] = FIRST_DAY + pd.to_timedelta(
        day * 86_400_000_000 + (second.reshape(-1) * 1e6).astype("int64"), unit="us"
    )
    _searches(frame, scenario, schedule, rng)
    _ads(frame, scenario, schedule, rng)
    frame["position"] = rng.choice(list(POSITIONS), size, p=[0.4, 0.3, 0.2, 0.1])
    frame["device"] = rng.choice(list(DEVICES), size, p=[0.6, 0.3, 0.1])
    frame["relevance"] = np.clip(rng.normal(size=size), -5, 5).round(4)
    frame["user_id"] = rng.integers(0, 5000, size)
    frame["weight"] = 1.0
    frame["row_id"] = [
        f"{d}/{i}" for i, d in enumerate(frame["event_time"].dt.strftime("%Y-%m-%d"))
    ]
    frame["log_odds"] += _shown_effects(frame) + np.log(scenario.base_ctr / (1 - scenario.base_ctr))
    frame["event_time"] = frame["event_time"].astype("datetime64[us, UTC]")
    return frame.drop(columns="day")


def _searches(
    frame: pd.DataFrame, scenario: Scenario, schedule: Schedule, rng: np.random.Generator
) -> None:
    """Add category and query; after the season's start its categories take their share."""
    size = len(frame)
    code = rng.integers(0, len(CATEGORIES), size)
    seasonal = (frame["day"] >= schedule.season) & (rng.random(size) < scenario.season.share)
    code[seasonal] = len(CATEGORIES) + rng.integers(0, len(SEASON), int(seasonal.sum()))
    names = np.array(CATEGORIES + SEASON)
    effects = np.concatenate([rng.normal(0, 0.4, len(CATEGORIES)), scenario.season.effects])
    # Squaring favours low numbers: a few queries are asked often, most seldom.
    within = (rng.random(size) ** 2 * QUERIES_PER_CATEGORY).astype("int64")
    frame["category"], frame["query_id"] = names[code], 1000 * (code + 1) + within
    query_effects = rng.normal(0, 0.2, (len(names), QUERIES_PER_CATEGORY))
    frame["log_odds"] = effects[code] + query_effects[code, within]


def _ads(
    frame: pd.DataFrame, scenario: Scenario, schedule: Schedule, rng: np.random.Generator
) -> None:
    """Add campaign, ad and discount; the largest campaign is replaced on its day."""
    size, names = len(frame), [*CAMPAIGNS, SUCCESSOR]
    code = rng.choice(len(CAMPAIGNS), size, p=_shares(scenario))
    code[(code == 0) & (frame["day"] >= schedule.campaign)] = len(CAMPAIGNS)
    effects = np.append(rng.normal(0, 0.3, len(CAMPAIGNS)), scenario.campaign.effect)
    means = np.append(rng.uniform(0.05, 0.25, len(CAMPAIGNS)), scenario.campaign.discount)
    within = rng.integers(0, ADS_PER_CAMPAIGN, size)
    ad_effects = rng.normal(0, 0.1, (len(names), ADS_PER_CAMPAIGN))
    frame["campaign"], frame["ad_id"] = np.array(names)[code], 100 * (code + 1) + within
    frame["discount"] = np.clip(rng.normal(means[code], 0.04), 0, 1).round(4)
    frame["log_odds"] += effects[code] + ad_effects[code, within]


def _shares(scenario: Scenario) -> list[float]:
    first, *others = CAMPAIGNS.values()
    rest = (1 - scenario.campaign.share) / sum(others)
    return [scenario.campaign.share, *(share * rest for share in others)]


def _shown_effects(frame: pd.DataFrame) -> pd.Series:
    return (
        frame["position"].map(POSITIONS)
        + frame["device"].map(DEVICES)
        + DISCOUNT_EFFECT * frame["discount"]
        + RELEVANCE_EFFECT * frame["relevance"]
    )


def _outcomes(
    requests: pd.DataFrame, scenario: Scenario, maturity: timedelta, rng: np.random.Generator
) -> pd.DataFrame:
    """Return what became of every impression: mature labels, and late clicks as revisions."""
    clicked = rng.random(len(requests)) < 1 / (1 + np.exp(-requests["log_odds"]))
    late = clicked & (rng.random(len(requests)) < scenario.late_clicks)
    known = requests["event_time"] + maturity
    first = pd.DataFrame(
        {
            "row_id": requests["row_id"],
            "event_time": requests["event_time"],
            "positives": (clicked & ~late).astype("float64"),
            "known_time": known,
            "revision": 0,
        }
    )
    delay = pd.to_timedelta(
        (rng.exponential(CLICK_DELAY_HOURS, len(requests)) * 3.6e9).astype("int64"), unit="us"
    )
    second = first[late].assign(positives=1.0, known_time=(known + delay)[late], revision=1)
    outcomes = pd.concat([first, second], ignore_index=True)
    times = {name: "datetime64[us, UTC]" for name in ("event_time", "known_time")}
    return outcomes.astype(times).sort_values("known_time", kind="stable", ignore_index=True)


def _broken(requests: pd.DataFrame, scenario: Scenario, schedule: Schedule) -> pd.DataFrame:
    """Return the requests as the broken upstream delivers them; the users' interest is as ever."""
    day = (requests["event_time"] - FIRST_DAY) // DAY
    inside = (day >= schedule.fault) & (day < schedule.fault + scenario.fault.days)
    forms = {"null": np.nan, "stuck": 0.0, "another unit": requests["relevance"] * 100}
    return requests.assign(relevance=requests["relevance"].mask(inside, forms[schedule.form]))
