"""Ten thousand deliveries, doubled, reordered and from eight processes at once: each cause once."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from driftloop import decisions
from driftloop.adapters.sqlite_ledger import SqliteLedger
from driftloop.ledger import Conflict
from driftloop.loop import LearningLoop
from driftloop.services.controller.controller import Controller
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent

pytestmark = pytest.mark.slow

WRITERS, CHANGES, WINDOWS = 8, 10, 125
START = datetime(2026, 1, 1, tzinfo=UTC)
PHASE, WINDOW = timedelta(days=30), timedelta(hours=1)


class Cluster:
    """Pipelines that run on their own: each start leaves a file, and a second one is noticed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> None:
        with suppress(FileExistsError):  # a real API server refuses the second of a name as well
            os.close(os.open(self.folder / f"{order.name}.started", os.O_CREAT | os.O_EXCL))

    def promote(self, version: str) -> None:
        (self.folder / f"{version}.promoted").touch()


def version(number: int) -> str:
    return f"{number:04d}-x"


def windows(change: int) -> list[CloudEvent]:
    """Return the windows of one change, all of the champion that it happened to."""
    feature = {
        "name": "a", "kind": "numeric", "n": 9, "total": 9, "missing": 0, "p_value": 0.0,
        "effect": 0.5, "threshold": 0.1, "shift": True, "fault": "",
    }  # fmt: skip
    found = []
    for number in range(WINDOWS):
        start = START + change * PHASE + number * WINDOW
        data = {
            "bundle_version": version(change + 1),
            "window_start": times.to_text(start),
            "window_end": times.to_text(start + WINDOW),
            "features": [feature],
        }
        name = f"{change}/{number}"
        found.append(CloudEvent(name, "/sidecar", event_types.WINDOW_SCORED, start + WINDOW, data))
    return found


def write(loop: LearningLoop, folder: str, change: int, seed: int) -> None:
    """Deliver the windows of a change in an order of one's own, with some of those before again."""
    path = Path(folder)
    controller = Controller(loop, SqliteLedger(path / "ledger.db"), Cluster(path), lambda _: None)
    rng, own = random.Random(seed), windows(change)
    late = rng.sample(windows(change - 1), WINDOWS // 5) if change else []
    rng.shuffle(both := own + late)
    now = START + change * PHASE + timedelta(days=6)
    for number, event in enumerate(both):
        while True:  # a sender delivers until it is told that the event was taken
            try:
                controller.receive(event, now)
                break
            except Conflict:
                continue
        if number % 10 == 0:
            controller.decide(decisions.Ticked(), now)


def test_ten_thousand_deliveries_open_one_retraining_a_change(
    ads: LearningLoop, tmp_path: Path
) -> None:
    only_drift = {"max_age": timedelta(days=3650), "growth": 0}
    retrain = ads.spec.retrain.model_copy(update=only_drift)
    spec = ads.spec.model_copy(update={"retrain": retrain})
    loop = ads.model_copy(update={"spec": spec})
    context = multiprocessing.get_context("spawn")
    controller = Controller(
        loop, SqliteLedger(tmp_path / "ledger.db"), Cluster(tmp_path), lambda _: None
    )
    controller.decide(decisions.Started(), START)
    controller.ended(1, Outcome("promote", version(1), START, ("good",)), START)
    delivered = 0
    with context.Pool(WRITERS) as writers:
        for change in range(CHANGES):
            jobs = [(loop, str(tmp_path), change, 100 * change + own) for own in range(WRITERS)]
            writers.starmap(write, jobs, chunksize=1)
            delivered += WRITERS * (WINDOWS + (WINDOWS // 5 if change else 0))
            number, now = change + 2, START + change * PHASE + timedelta(days=7)
            state, _ = controller.ledger.state(loop.name)
            assert (state.running, state.number) == (number, number)
            controller.ended(number, Outcome("promote", version(number), now, ("good",)), now)
            state, _ = controller.ledger.state(loop.name)
            assert (state.champion, state.waiting) == (version(number), ())
    assert delivered > 10_000
    names = [f"{loop.name}-{number}" for number in range(1, CHANGES + 2)]
    assert [row["name"] for row in controller.ledger.retrainings(loop.name)] == names
    assert sorted(p.stem for p in tmp_path.glob("*.started")) == sorted(names)
    assert all((tmp_path / f"{version(n)}.promoted").exists() for n in range(1, CHANGES + 2))
    reasons = [r for d in controller.ledger.decisions(loop.name) for r in d["reasons"]]
    superseded = [reason for reason in reasons if reason.startswith("Superseded")]
    assert len(superseded) == CHANGES, "windows that came while each retraining ran"
