"""The predictions of several replicas: the controller learns and judges as one sidecar does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from driftloop import decisions
from driftloop.decisions import CellScored, Ticked
from driftloop.drift import pool
from driftloop.drift.pool import Cell
from driftloop.loop import LearningLoop
from driftloop.services.controller import translation
from driftloop.state import State
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift import learned, level
from driftloop_contracts.drift.distribution import Stratum
from driftloop_contracts.drift.finding import PREDICTION_NAME, Finding
from driftloop_contracts.drift.learned import Learned
from driftloop_contracts.drift.observed import Observed, Rule
from driftloop_contracts.drift.served import Served
from driftloop_contracts.drift.tally import Tally
from driftloop_contracts.errors import InvalidInput

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
CELLS, ROWS, WEEK = 20, 600, 7
OWN = Rule(PREDICTION_NAME, "numeric", 0.05, 1.0, 4.0, 0.05, True)
INPUT = Rule("number", "numeric", 0.05, 1.0, 1.0, 0.05, True)
QUIET = dict.fromkeys(range(WEEK + 4), 0.0)
"""By day, by how much the predictions move."""


def counted(values: np.ndarray) -> tuple[float, ...]:
    codes = (np.clip(values, 0, 1 - 1e-9) * CELLS).astype(int)
    return tuple(np.bincount(codes, minlength=CELLS).astype(float))


def draw(day: int, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a day's input and predictions, of all replicas together."""
    rng = np.random.default_rng(day)
    return rng.random(ROWS), rng.random(ROWS) ** 2 + shift


def parts(day: int, shift: float, replicas: int) -> list[tuple[Observed, Served]]:
    """Return what each replica counted of a day."""
    found = []
    for at in range(replicas):
        number, answers = (column[at::replicas] for column in draw(day, shift))
        n = float(len(number))
        usual = (1 / CELLS,) * CELLS
        tally = Tally(counted(number), 0.0, int(n), n, n, usual, 0.0, 1e5)
        strata = (Stratum(counted(answers), 0.0, n, n),)
        found.append((Observed(INPUT, tally), Served(OWN, strata, int(n))))
    return found


def cells(day: int, shift: float, replicas: int) -> list[Cell]:
    """Return the same as the controller takes it out of the sidecars' events."""
    found = []
    for feature, served in parts(day, shift, replicas):
        event = event_of(day, served.rows, [feature.to_data()], served.to_data())
        scored = translation.scored(event, START + (day + 1) * DAY)
        assert isinstance(scored, CellScored)
        found.append(scored.cell)
    return found


def event_of(day: int, rows: int, observed: list[Any], served: dict[str, Any]) -> CloudEvent:
    """Return a sidecar's event on a day."""
    start = START + day * DAY
    data = {
        "bundle_version": "0001-a",
        "window_start": times.to_text(start),
        "window_end": times.to_text(start + DAY),
        "pod": "one of several",
        "n": rows,
        "observed": observed,
        "served": served,
    }
    return CloudEvent("1", "/s", event_types.WINDOW_SCORED, start + DAY, data)


def alone(ads: LearningLoop, shifts: dict[int, float]) -> list[Finding]:
    """Return what one sidecar that serves everything says of predictions, day by day."""
    state, found = Learned(), []
    alpha = level.of_window(
        ads.spec.drift.false_alarms.per_second, DAY.total_seconds(), [INPUT, OWN]
    )
    for day, shift in shifts.items():
        ((feature, served),) = parts(day, shift, 1)
        findings = learned.judge([feature], served, state, alpha, ads.spec.drift.window.rows)
        start = int((START + day * DAY).timestamp())
        state = state.after(served, start, start + 86400, findings, False)
        found.append(findings[-1])
    return found


def together(ads: LearningLoop, shifts: dict[int, float], replicas: int) -> list[Finding]:
    """Return what the controller says of them, with its state stored between any two days."""
    state, found = State(champion="0001-a"), []
    for day, shift in shifts.items():
        own = cells(day, shift, replicas)
        for cell in own:
            state = decisions.decide(state, CellScored(cell), ads.spec, cell.since).state
        _, (judged,) = state.pools.judged(ads.spec.drift, own[0].since + pool.GRACE)
        found.append(judged.findings[-1])
        state = decisions.decide(state, Ticked(), ads.spec, own[0].since + pool.GRACE).state
        state = State.model_validate_json(state.model_dump_json())
    return found


@pytest.mark.parametrize("replicas", [1, 3, 10])
@pytest.mark.parametrize("moved", [0.0, 0.01, 0.2])
def test_replicas_are_judged_as_one_sidecar_would(
    ads: LearningLoop, replicas: int, moved: float
) -> None:
    shifts = QUIET | {WEEK + 2: moved, WEEK + 3: moved}
    one, many = alone(ads, shifts), together(ads, shifts, replicas)
    assert [f.p_value for f in many] == pytest.approx([f.p_value for f in one])
    assert [f.effect for f in many] == pytest.approx([f.effect for f in one])
    assert [f.shift for f in many] == [f.shift for f in one]
    assert [f.p_value for f in many[:WEEK]] == [1.0] * WEEK
    assert many[-1].shift == (moved == 0.2)


def test_moved_predictions_ask_for_a_retraining(ads: LearningLoop) -> None:
    state = State(champion="0001-a")
    for day, shift in (QUIET | {WEEK: 0.3}).items():
        for cell in cells(day, shift, 3):
            state = decisions.decide(state, CellScored(cell), ads.spec, cell.since).state
        told = decisions.decide(state, Ticked(), ads.spec, cell.since + pool.GRACE)
        state = told.state
        if day == WEEK:
            (cause,) = state.waiting
            assert cause.evidence[0].startswith("2026-03-09 00:00: (prediction) shifted")
            return
        assert not state.waiting


def test_a_new_champion_is_learnt_anew(ads: LearningLoop) -> None:
    state = State(champion="0001-a")
    (cell,) = cells(0, 0.0, 1)
    state = decisions.decide(state, CellScored(cell), ads.spec, cell.since).state
    state = decisions.decide(state, Ticked(), ads.spec, cell.since + pool.GRACE).state
    assert state.pools.pools[0].learned is not None
    other = cell.model_copy(update={"bundle": "0002-b"})
    state = state.model_copy(update={"champion": "0002-b"})
    state = decisions.decide(state, CellScored(other), ads.spec, cell.since).state
    newest = state.pools.pools[-1]
    assert (newest.bundle, newest.learned) == ("0002-b", None)


def after_grace(ads: LearningLoop, cell: Cell) -> tuple[pool.Pool, tuple[pool.Judgement, ...]]:
    """Return the pool after one cell, and what that shows."""
    return pool.Pool(bundle=cell.bundle).put(cell).judged(ads.spec.drift, cell.since + pool.GRACE)


def test_a_replica_that_tells_no_predictions_leaves_them_unjudged(ads: LearningLoop) -> None:
    """As a sidecar of an older release does while replicas are replaced."""
    first, second = cells(0, 0.0, 2)
    window = first.with_part(second.model_copy(update={"served": None}))
    own, (judged,) = after_grace(ads, window)
    assert [finding.name for finding in judged.findings] == ["number"]
    assert own.learned is None


def test_broken_predictions_hide_no_joint_change(ads: LearningLoop) -> None:
    (cell,) = cells(0, 0.0, 1)
    joint = pool.Joint(z=9.0, rows=600, effect=0.9, threshold=0.05)
    window = cell.model_copy(update={"joint": (joint,)})
    own, (judged,) = after_grace(ads, window)
    *features, prediction = judged.findings
    broken = replace(judged, findings=[*features, replace(prediction, fault="stands_still")])
    event = decisions.WindowJudged.of(broken)
    assert (list(event.shifts), list(event.faults)) == (["(together)"], [PREDICTION_NAME])
    assert own.learned is None, "and from a window that jointly changed nothing is learnt"


def test_an_event_whose_predictions_make_no_sense_is_refused() -> None:
    odd = event_of(0, 0, [], {"strata": "none"})
    with pytest.raises(InvalidInput, match="strata"):
        translation.scored(odd, START)
