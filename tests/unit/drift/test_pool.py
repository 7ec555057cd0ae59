"""The windows of several replicas, judged as one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from driftloop import decisions
from driftloop.decisions import CellScored, Ticked
from driftloop.drift import pool
from driftloop.drift.pool import Cell, Joint, Pool, Pools
from driftloop.loop import LearningLoop
from driftloop.state import State
from driftloop_contracts.drift.finding import JOINT_NAME
from driftloop_contracts.drift.observed import Observed, Rule
from driftloop_contracts.drift.tally import Tally

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
CELLS = 20


def part(
    rows: int, day: int = 0, shift: float = 0.0, seed: int = 0, bundle: str = "0001-a"
) -> Cell:
    """Return what one replica counted of a day of numbers uniform in cells, moved by ``shift``."""
    rng = np.random.default_rng(seed)
    values = np.clip(rng.random(rows) + shift, 0, 1 - 1e-9) * CELLS
    counts = np.bincount(values.astype(int), minlength=CELLS).astype(float)
    usual, n = (1 / CELLS,) * CELLS, float(rows)
    rule = Rule("number", "numeric", 0.05, 1.0, 1.0, 1.0, True)
    tally = Tally(tuple(counts), 0.0, rows, n, n, usual, 0.0, 1e5)
    features = (Observed(rule, tally).to_data(),)
    start = START + day * DAY
    return Cell(
        bundle=bundle, start=start, end=start + DAY, since=start + DAY, rows=rows, features=features
    )


def decide(ads: LearningLoop, state: State, cells: list[Cell]) -> State:
    for cell in cells:
        state = decisions.decide(state, CellScored(cell), ads.spec, cell.since).state
    return state


def later(ads: LearningLoop, state: State, cell: Cell) -> decisions.Decision:
    return decisions.decide(state, Ticked(), ads.spec, cell.since + pool.GRACE)


@pytest.mark.parametrize("replicas", [1, 3, 10])
def test_power_does_not_fall_with_the_replica_count(ads: LearningLoop, replicas: int) -> None:
    """600 rows in all, however many pods share them; the change is one that 60 rows cannot show."""
    found, seeds = 0, 20
    for seed in range(seeds):
        cells = [part(600 // replicas, shift=0.15, seed=100 * seed + r) for r in range(replicas)]
        state = decide(ads, State(champion="0001-a"), cells)
        assert not state.waiting, "judged before every replica had time to tell"
        found += bool(later(ads, state, cells[-1]).state.waiting)
    assert found == seeds


@pytest.mark.parametrize("replicas", [1, 3, 10])
def test_quiet_replicas_cry_wolf_no_more_often_than_the_budget(
    ads: LearningLoop, replicas: int
) -> None:
    state, causes = State(champion="0001-a"), 0
    for day in range(90):
        cells = [part(600 // replicas, day, seed=9000 + 10 * day + r) for r in range(replicas)]
        after = later(ads, decide(ads, state, cells), cells[-1])
        causes += any(cause.kind == "drift" for cause in after.state.waiting)
        state = after.state.model_copy(update={"waiting": ()})
    assert causes <= 5  # a Poisson count of mean 1 exceeds it once in 1,700


def test_small_cells_grow_into_a_window(ads: LearningLoop) -> None:
    state = State(champion="0001-a")
    for day in range(2):
        cell = part(90, day, shift=0.5, seed=day)
        state = later(ads, decide(ads, state, [cell]), cell).state
        assert not state.waiting
    cell = part(90, 2, shift=0.5, seed=3)
    state = later(ads, decide(ads, state, [cell]), cell).state
    assert (state.running, state.running_onset) == (1, START)


def test_a_window_that_waits_too_long_is_judged_with_what_it_has(ads: LearningLoop) -> None:
    state = State(champion="0001-a")
    for day in range(7):
        cell = part(20, day, shift=0.5, seed=day)
        state = later(ads, decide(ads, state, [cell]), cell).state
    assert state.pools == Pools(pools=(Pool(bundle="0001-a"),))
    assert state.running == 1


def test_what_comes_late_counts_in_the_next_window(ads: LearningLoop) -> None:
    first, straggler = part(300, seed=1), part(300, shift=0.5, seed=2)
    state = later(ads, decide(ads, State(champion="0001-a"), [first]), first).state
    assert not state.waiting
    late = straggler.model_copy(update={"since": first.since + timedelta(minutes=5)})
    assert later(ads, decide(ads, state, [late]), late).state.waiting


def test_a_new_champion_starts_anew(ads: LearningLoop) -> None:
    state = decide(ads, State(champion="0001-a"), [part(90, shift=0.5)])
    state = state.model_copy(update={"champion": "0002-b"})
    state = decide(ads, state, [part(90, shift=0.5, bundle="0002-b")])
    assert [(p.bundle, len(p.waiting)) for p in state.pools.pools] == [("0001-a", 1), ("0002-b", 1)]


def test_a_canary_is_judged_beside_the_champion_and_decides_nothing(ads: LearningLoop) -> None:
    state = State(champion="0001-a")
    quiet, moved = part(600, seed=1), part(600, shift=0.5, seed=2, bundle="0002-b")
    after = later(ads, decide(ads, state, [moved, quiet]), quiet)
    assert not after.state.waiting
    assert any("0002-b" in reason for reason in after.reasons)
    moved, quiet = part(600, shift=0.5, seed=3), part(600, seed=4, bundle="0002-b")
    assert later(ads, decide(ads, state, [moved, quiet]), quiet).state.waiting


def test_of_bundles_beside_the_champion_only_the_newest_is_kept(ads: LearningLoop) -> None:
    bundles = ["0001-a", *(f"000{n}-b" for n in range(2, 9))]
    state = decide(ads, State(champion="0001-a"), [part(90, bundle=b) for b in bundles])
    assert [pool.bundle for pool in state.pools.pools] == ["0001-a", "0008-b"]


def test_a_canary_whose_features_are_whole_does_not_mend_the_champions(ads: LearningLoop) -> None:
    state = State(champion="0001-a", faults=("number",))
    cell = part(600, seed=1, bundle="0002-b")
    assert later(ads, decide(ads, state, [cell]), cell).state.faults == ("number",)


def test_a_broken_feature_is_no_joint_change(ads: LearningLoop) -> None:
    joint = Joint(z=9.0, rows=600, effect=0.9, threshold=0.05)
    window = part(600).model_copy(update={"joint": (joint,)})
    found = pool.judge(window, ads.spec.drift)
    broken = replace(found, findings=[replace(one, fault="missing") for one in found.findings])
    assert list(decisions.WindowJudged.of(found).shifts) == [JOINT_NAME]
    assert decisions.WindowJudged.of(broken).shifts == {}


def test_the_state_survives_json(ads: LearningLoop) -> None:
    state = decide(ads, State(champion="0001-a"), [part(600)])
    assert State.model_validate_json(state.model_dump_json()) == state


def test_joint_tests_of_replicas_add_up() -> None:
    one = pool.combined([Joint(z=2.0, rows=100, effect=0.2, threshold=0.1)] * 4)
    assert one is not None
    assert (one.z, one.effect, one.rows) == (pytest.approx(4.0), pytest.approx(0.2), 400)
