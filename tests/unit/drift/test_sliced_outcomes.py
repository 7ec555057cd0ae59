"""Concept drift by slice: false alarms over all slices, power for a small one, and the words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from driftloop.decisions import CohortMatured, Decision, WindowJudged, decide, outcomes
from driftloop.drift import concept, matured, slices
from driftloop.drift.concept import Watched
from driftloop.drift.matured import Matured
from driftloop.loop import LearningLoop
from driftloop.quantities import PerTime
from driftloop.services.controller import translation
from driftloop.state import Interval, State
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift import concept as concepts
from driftloop_contracts.drift import level
from driftloop_contracts.drift.concept import Concept, Judged
from driftloop_contracts.errors import InvalidInput

START = pd.Timestamp("2026-01-01", tz="UTC").as_unit("us")
DAY, SPAN = pd.Timedelta(days=1), timedelta(days=1)
NAMES, SHARES = np.array(["boots", "coats", "hats", "ski"]), [0.5, 0.3, 0.12, 0.08]


def frame(
    days: int, rng: np.random.Generator, *, per_day: int = 1000, first: int = 0,
    flipped: str = "", less: str = "", mood: float = 0.0,
) -> pd.DataFrame:  # fmt: skip
    """Rows with log-odds -2 + x; ``flipped``: -2 - x in that category, ``less``: two off there.

    ``mood``: spread of what a day adds to all, and of what it adds to each category.
    """
    rows, kind = stream(days, rng, per_day, flipped, less, mood)
    times = pd.DatetimeIndex(START.to_datetime64() + (first + rows.cells) * DAY.to_timedelta64())
    columns = {"event_time": times.tz_localize("UTC"), "weight": 1.0, "bundle_version": "v1"}
    columns |= {"positives": rows.positives, "prediction": rows.probability}
    return pd.DataFrame(columns | {"probability": rows.probability, "category": NAMES[kind]})


def stream(
    days: int, rng: np.random.Generator, per_day: int, flipped: str = "", less: str = "",
    mood: float = 0.0,
) -> tuple[Judged, Any]:  # fmt: skip
    """The same rows as numbers, and the place of each one's category."""
    n = days * per_day
    day, kind = np.arange(n) // per_day, rng.choice(len(NAMES), n, p=SHARES)
    x, moods = rng.normal(size=n), mood * rng.normal(size=(days, len(NAMES) + 1))
    odds = np.where(NAMES[kind] == flipped, -2 - x, -2 + x) - 2 * (NAMES[kind] == less)
    came = rng.random(n) < special.expit(odds + moods[day, kind] + moods[day, -1])
    return Judged(special.expit(-2 + x), came * 1.0, np.ones(n), day), kind


def among(rows: Judged, inside: Any) -> Judged:
    return Judged(*(getattr(rows, name)[inside] for name in Judged.__dataclass_fields__))


def sliced(ads: LearningLoop, budget: str = "1 per 90d", min_effect: float = 0.05) -> LearningLoop:
    spec = ads.spec
    gate = spec.gate.model_copy(
        update={"slices": spec.gate.slices.model_copy(update={"columns": ("category",)})}
    )
    count, period = budget.split(" per ")
    rate = PerTime(int(count), timedelta(days=int(period[:-1])))
    drift = spec.drift.model_copy(update={"min_effect": min_effect, "false_alarms": rate})
    return ads.model_copy(update={"spec": spec.model_copy(update={"gate": gate, "drift": drift})})


def watched(loop: LearningLoop, rng: np.random.Generator, tests: int = 20, **how: Any) -> Watched:
    held_out, rows = frame(6, rng, **how), frame(20, rng, **how)
    predicted = rows["probability"].to_numpy()
    known = concept.build(held_out, rows, predicted, loop)
    assert known
    parts = concept.build_slices(held_out, rows, predicted, loop)
    return Watched("v1", known, tests, tuple(parts))


def cohort(own: Watched, rows: pd.DataFrame) -> CohortMatured:
    whole = own.told(rows, SPAN)
    by_slice = own.by_slice(rows, SPAN)
    return CohortMatured(matured.from_data(whole), None, matured.slices_of(by_slice))


def serving(**update: Any) -> State:
    return State(champion="v1", number=1, data_end=START.to_pydatetime()).model_copy(update=update)


def after(state: State, loop: LearningLoop, told: CohortMatured) -> Decision:
    return decide(state, told, loop.spec, datetime(2026, 1, 9, tzinfo=UTC))


PER_DAY = 400


def measured(rng: np.random.Generator, mood: float) -> list[tuple[str, int, Concept]]:
    """Name, number of tests and concept of all rows and of each category's."""
    (late, a), (rows, b) = (stream(days, rng, PER_DAY, mood=mood) for days in (6, 20))
    whole, each = level.shared(2, len(NAMES))
    found = [("", whole, concepts.measure(late, rows, 1e-6))]
    for place, name in enumerate(NAMES):
        pair = among(late, a == place), among(rows, b == place)
        found.append((str(name), each, concepts.measure_slice(*pair, 1e-6)))
    return found


def counted(known: list[tuple[str, int, Concept]], rows: Judged, kind: Any) -> CohortMatured:
    """What an event tells of a day's rows."""
    start, parts = START.to_pydatetime(), []
    for name, tests, one in known:
        own = among(rows, NAMES[kind] == name) if name else rows
        parts.append(
            Matured(
                bundle="v1", start=start, end=start + SPAN, period=SPAN, rows=len(own),
                tests=tests, concept=one.to_data(), slice=name,
                seen=one.count(own.probability, own.positives, own.weight).to_data(),
            )
        )  # fmt: skip
    return CohortMatured(parts[0], None, tuple(parts[1:]))


@pytest.mark.parametrize("mood", [0.0, 0.15])
def test_false_alarms_over_all_slices_stay_within_the_budget(
    ads: LearningLoop, mood: float
) -> None:
    """200 seeds in two halves; the loop has no other test, so the whole budget is spent here."""
    seeds, days, every = 100, 8, 4
    loop, alarms = sliced(ads, f"1 per {every}d", 1e-6), 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed + (1000 if mood else 0))
        known, state = measured(rng, mood), serving()
        for _ in range(days):
            told = counted(known, *stream(1, rng, PER_DAY, mood=mood))
            state = outcomes.followed(state, told, loop.spec).state
            alarms += len(state.waiting)
            state = state.model_copy(update={"waiting": ()})
    allowed = seeds * days / every
    # Days that share one reference are dependent, so twice their noise.
    assert alarms <= allowed + 2 * stats.norm.ppf(0.999) * np.sqrt(allowed)
    assert alarms >= 0.1 * allowed, "a test that says nothing keeps any budget"


def test_a_small_slice_whose_concept_flips_is_found_and_named(ads: LearningLoop) -> None:
    """8 % of 1,000 rows a day flip; the loop's level for 20 tests and 1 alarm in 90 days."""
    loop, seeds, found, others = sliced(ads), 20, 0, 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        own, state = watched(loop, rng), serving()
        for day in range(8):
            rows = frame(1, rng, first=day, flipped="ski")
            state = outcomes.followed(state, cohort(own, rows), loop.spec).state
            if state.waiting:
                break
        text = " ".join(state.waiting[0].evidence) if state.waiting else ""
        found += "concept drift in category = ski: " in text
        others += any(f"category = {name}" in text for name in NAMES[:-1])
    assert found >= 0.85 * seeds
    assert others == 0


def test_a_finding_says_whose_concept_moved_and_that_the_inputs_did_not(ads: LearningLoop) -> None:
    loop, rng = sliced(ads), np.random.default_rng(3)
    own = watched(loop, rng)
    told = cohort(own, frame(8, rng, less="ski", first=20))
    (cause,) = after(serving(), loop, told).state.waiting
    (text,) = cause.evidence
    assert cause.rules == ("concept_drift",)
    assert "concept drift in category = ski: outcomes " in text
    assert "% are predicted, inputs unchanged, rate by effect " in text


def test_inputs_that_moved_while_outcomes_follow_are_told_as_data_drift(ads: LearningLoop) -> None:
    loop, rng = sliced(ads), np.random.default_rng(4)
    own = watched(loop, rng)
    start = (START + 20 * DAY).to_pydatetime()
    window = WindowJudged("v1", start, start + SPAN, {"category": "far"}, {})
    moved = decide(serving(), window, loop.spec, start + SPAN).state
    assert moved.moved == (Interval(start=start, end=start + SPAN),)
    rows = frame(1, rng, first=20)
    held = outcomes.followed(moved, cohort(own, rows), loop.spec)
    (reason,) = held.reasons
    assert "data drift: the inputs moved; predictions still hold, outcomes " in reason
    assert held.state.waiting == moved.waiting, "it adds no cause"
    late = outcomes.followed(moved, cohort(own, frame(1, rng, first=23)), loop.spec)
    assert late.reasons == (), "of another day nothing moved"
    both = outcomes.followed(moved, cohort(own, frame(1, rng, first=20, less="boots")), loop.spec)
    (cause,) = both.state.waiting
    assert cause.rules == ("data_drift", "concept_drift")
    assert "the inputs moved as well" in cause.evidence[1]


def test_a_slice_grows_by_itself_and_sums_add_up(ads: LearningLoop) -> None:
    loop, rng = sliced(ads), np.random.default_rng(5)
    own, days = watched(loop, rng), [frame(1, rng, first=day) for day in (20, 21)]
    state = serving()
    for rows in days:
        state = outcomes.followed(state, cohort(own, rows), loop.spec).state
    assert state.matured is None
    (small,) = [one for one in state.slices if one.slice == "category = ski"]
    assert "category = boots" not in [one.slice for one in state.slices], "judged each day"
    once = own.by_slice(pd.concat(days, ignore_index=True), 2 * SPAN)
    (whole,) = [one for one in once if one["slice"] == "category = ski"]
    assert (small.rows, small.period) == (whole["rows"], 2 * SPAN)
    assert small.seen["positives"] == pytest.approx(whole["seen"]["positives"])
    assert small.seen["predicted"] == pytest.approx(whole["seen"]["predicted"])


def test_a_promotion_forgets_what_the_last_champions_slices_held(ads: LearningLoop) -> None:
    loop, rng = sliced(ads), np.random.default_rng(6)
    own = watched(loop, rng)
    state = outcomes.followed(serving(), cohort(own, frame(1, rng, first=20)), loop.spec).state
    other = state.model_copy(update={"champion": "v2"})
    assert state.slices
    assert outcomes.followed(other, cohort(own, frame(1, rng)), loop.spec).state == other
    quarantine = (Interval(start=START.to_pydatetime(), end=(START + 99 * DAY).to_pydatetime()),)
    broken = serving(quarantine=quarantine)
    assert (
        outcomes.followed(broken, cohort(own, frame(1, rng, first=20)), loop.spec).state == broken
    )


def test_an_event_of_before_has_no_slices_and_one_of_too_many_is_refused(ads: LearningLoop) -> None:
    loop, rng = sliced(ads), np.random.default_rng(7)
    own = watched(loop, rng)
    rows = frame(1, rng)
    now = datetime(2026, 1, 9, tzinfo=UTC)

    def told(**data: Any) -> CohortMatured | None:
        return translation.cohort(CloudEvent("c", "/job", event_types.COHORT_SCORED, now, data))

    found = told(outcomes=own.told(rows, SPAN))
    assert found
    assert found.slices == ()
    one = own.by_slice(rows, SPAN)[0]
    for wrong in ("text", [1], [one] * (slices.MOST + 1), {"a": one}):
        with pytest.raises(InvalidInput):
            told(outcomes=own.told(rows, SPAN), slices=wrong)


def test_without_slices_an_event_and_a_level_are_as_before(ads: LearningLoop) -> None:
    rng = np.random.default_rng(8)
    rows = frame(20, rng)
    known = concept.build(frame(6, rng), rows, rows["probability"].to_numpy(), ads)
    assert concept.build_slices(frame(6, rng), rows, rows["probability"].to_numpy(), ads) == []
    own = Watched("v1", known, 20)
    told = own.told(frame(1, rng), SPAN)
    assert own.by_slice(frame(1, rng), SPAN) == []
    assert told["tests"] == 20
    assert "slice" not in told


def test_a_slice_of_rare_positives_waits_for_likely_ones_but_not_for_ever(
    ads: LearningLoop,
) -> None:
    loop, rng = sliced(ads), np.random.default_rng(9)
    own = watched(loop, rng)
    (ski,) = [m for m in cohort(own, frame(1, rng)).slices if m.slice == "category = ski"]
    drift = loop.spec.drift
    many = ski.model_copy(update={"rows": drift.window.rows})
    assert not many.is_complete(drift), "8 % of 1,000 rows: 13 likely positives"
    assert many.model_copy(update={"period": drift.window.max_duration}).is_complete(drift)
    grown = many + many + many + many
    assert grown.is_complete(drift)
    assert not grown.model_copy(update={"rows": drift.window.rows - 1}).is_complete(drift)
    assert many.model_copy(update={"slice": ""}).is_complete(drift)


def test_predictions_that_are_off_by_less_than_counts_are_not_said_to_hold(
    ads: LearningLoop,
) -> None:
    loop, rng = sliced(ads, min_effect=0.9), np.random.default_rng(10)
    own, start = watched(loop, rng), (START + 20 * DAY).to_pydatetime()
    moved = serving(moved=(Interval(start=start, end=start + SPAN),))
    told = cohort(own, frame(1, rng, first=20, per_day=4000, less="boots"))
    (reason,) = outcomes.followed(moved, told, loop.spec).reasons
    assert "the inputs moved; predictions are off by less than counts, outcomes " in reason
    assert "threshold 0.900)" in reason
