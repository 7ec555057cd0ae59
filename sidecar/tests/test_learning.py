"""The sidecar learns what to expect of predictions, keeps it through a kill, and replays it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sidecar_process import SidecarProcess

from drift_sidecar import replay
from drift_sidecar.learning import Learning
from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings
from driftloop_contracts import inference
from driftloop_contracts.baseline import FeatureBaseline
from driftloop_contracts.drift import measure, served
from driftloop_contracts.drift.distribution import Stratum
from driftloop_contracts.drift.finding import PREDICTION_NAME
from driftloop_contracts.drift.learned import Learned

DAY, ROWS, WEEK = 24, 200, 7


def cuts(values):
    """Return what a bundle knows of predictions: how to count them, and no counts."""
    count = len(values)
    places, ones = np.arange(count), np.ones(count)
    rows = measure.Rows(places, ones, places // ROWS, ones > 0, False, ROWS)
    found = measure.numeric(values, rows)
    nothing = Stratum((0.0,) * found.cells, 0.0, 0.0, 0.0)
    return replace(found, strata=(nothing,))


@pytest.fixture(autouse=True)
def bundle(given, store):
    """Put a bundle with windows of a day that knows how to count predictions."""
    known = cuts(np.random.default_rng(0).beta(2, 8, 4000))
    own = FeatureBaseline(PREDICTION_NAME, "numeric", 0.1, 0.05, varies=True, distribution=known)
    day = replace(given.baseline, window_seconds=DAY * 3600, predictions=own)
    given.put_bundle(store, day)


def batch(given, day, **changes):
    """Return a day's traffic; ``moved`` predictions come from another distribution."""
    rng = np.random.default_rng(day)
    moved, shift = changes.pop("moved", False), changes.pop("shift", 0.0)
    predictions = rng.beta(5 if moved else 2, 8, ROWS).tolist()
    data = {"predictions": predictions} | changes
    return given.batch(ROWS, DAY * day + 1, ROWS * day, shift=shift, **data)


@pytest.fixture
def monitor(given, store, tmp_path):
    """Return a function that starts a monitor on the same spool."""

    def started(pod=""):
        spool = str(tmp_path / "spool")
        return create_monitor(Settings(store.uri, given.loop, given.version, spool=spool, pod=pod))

    return started


def day_of(given, monitor, day, **changes):
    """Return the events of a day of traffic."""
    event = batch(given, day, **changes)
    monitor.take(event.source, event.id, inference.from_data(event.data))
    return monitor.close(int(given.at(DAY * (day + 1)).timestamp()))


def own(events):
    """Return the finding on predictions in a window's events."""
    return next(f for f in events[0].data["features"] if f["name"] == PREDICTION_NAME)


def causes(events):
    return [cause["name"] for event in events[1:] for cause in event.data["shifts"]]


def test_the_first_week_teaches_and_the_next_day_is_judged(given, monitor):
    watching = monitor()
    for day in range(WEEK):
        events = day_of(given, watching, day)
        assert events[0].data["prediction"] == {"learning": True}
        assert (own(events)["p_value"], own(events)["shift"]) == (1.0, False)
    quiet = day_of(given, watching, 7)
    assert quiet[0].data["prediction"] == {"learning": False}
    assert not own(quiet)["shift"]
    assert own(quiet)["p_value"] < 1.0
    moved = day_of(given, watching, 8, moved=True)
    assert causes(moved) == [PREDICTION_NAME]
    assert own(moved)["effect"] > 0.5


def test_a_day_on_which_an_input_moves_teaches_nothing(given, monitor):
    watching = monitor()
    for day in range(WEEK):
        day_of(given, watching, day, shift=1.0 if day == 3 else 0.0, moved=day == 3)
    assert day_of(given, watching, 7)[0].data["prediction"] == {"learning": True}
    assert day_of(given, watching, 8)[0].data["prediction"] == {"learning": False}


def test_a_broken_input_moves_predictions_and_is_no_drift(given, monitor):
    watching = monitor()
    for day in range(WEEK):
        day_of(given, watching, day)
    columns = given.draw(ROWS, seed=1) | {"relevance": [9.0] * ROWS}
    events = day_of(given, watching, 7, moved=True, features=columns)
    assert causes(events) == []
    assert [fault["name"] for fault in events[1].data["faults"]] == ["relevance"]


def test_predictions_that_stand_still_are_a_fault_also_while_learning(given, monitor):
    events = day_of(given, monitor(), 0, predictions=[0.25] * ROWS)
    assert events[1].data["faults"] == [
        {"name": PREDICTION_NAME, "fault": "stands_still", "share": 1.0}
    ]


def test_one_of_several_sidecars_tells_counts_and_learns_nothing(given, monitor, tmp_path):
    watching = monitor(pod="pod-1")
    for day in range(WEEK + 1):
        events = day_of(given, watching, day)
    assert events[0].data["prediction"] is None
    assert PREDICTION_NAME not in [f["name"] for f in events[0].data["features"]]
    told = served.from_data(events[0].data["served"])
    assert (told.rows, told.whole.weight, sum(told.whole.counts)) == (ROWS, ROWS, ROWS)
    assert not list(tmp_path.rglob("learned.json"))


def test_a_bundle_that_cannot_count_predictions_has_no_such_stream(given, store, monitor):
    given.put_bundle(store)
    event = given.batch(60, 0.5)
    watching = monitor()
    watching.take(event.source, event.id, inference.from_data(event.data))
    (scored,) = watching.close(int(given.at(1).timestamp()))
    assert scored.data["prediction"] is None
    assert [f["name"] for f in scored.data["features"]] == ["relevance", "device"]


def test_a_window_scored_again_gets_the_same_verdict(given, monitor, tmp_path):
    """As after a kill between what was learnt and the note that the window is scored."""
    watching = monitor()
    for day in range(WEEK):
        told = day_of(given, watching, day)
    file = next(tmp_path.rglob("learned.json"))
    learning = Learning(file)
    last = int(given.at(DAY * (WEEK - 1)).timestamp())
    before, after = learning.before(last), learning.before(last + DAY * 3600)
    assert (before.knows(0), after.knows(0)) == (False, True)
    learning.keep(last + DAY * 3600, after)
    assert Learning(file).before(last) == before
    assert own(told)["p_value"] == 1.0


def test_what_cannot_be_read_is_learnt_anew(tmp_path):
    path = tmp_path / "learned.json"
    path.write_text('[{"until": 5, "strata": [{"counts": []}]}]')
    assert Learning(path).before(10) == Learned()


@pytest.fixture
def start(given, store, tmp_path):
    processes = []

    def started():
        processes.append(
            SidecarProcess(
                DRIFTLOOP_STORE=store.uri,
                DRIFTLOOP_LOOP=given.loop,
                DRIFTLOOP_BUNDLE=given.version,
                DRIFTLOOP_SPOOL=str(tmp_path / "spool"),
            ).watch()
        )
        return processes[-1]

    yield started
    for process in processes:
        process.discard()


def test_a_kill_between_learning_and_judging_unlearns_nothing(given, store, start, capsys):
    child, told = start(), []
    for day in range(WEEK + 2):
        if day in (3, WEEK):
            child.kill()
            child = start()
        assert child.post(batch(given, day, moved=day == WEEK + 1))[0] == 202
        told += child.post(given.watermark(DAY * (day + 1)))[1]["events"]
    scored = [event for event in told if event["type"].endswith("scored.v1")]
    learning = [event["data"]["prediction"]["learning"] for event in scored]
    assert learning == [True] * WEEK + [False] * 2
    assert [c["name"] for e in told if "shifts" in e["data"] for c in e["data"]["shifts"]] == [
        PREDICTION_NAME
    ]
    log = str(store.root / "inference")
    arguments = [log, "--bundle", given.version, "--store", store.uri, "--loop", given.loop]
    assert replay.main(arguments, {}) == 0
    replayed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["data"] for event in replayed] == [event["data"] for event in told]
