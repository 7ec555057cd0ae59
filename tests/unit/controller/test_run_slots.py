"""A thousand loops that are all to retrain start no more runs than there are slots."""

from __future__ import annotations

from typing import Any

import pytest

from driftloop.services.controller.run_slots import PAUSE, RunSlots

LOOPS, MOST = 1000, 20


class Retrainings:
    """The API server's Retrainings, by namespace; lists are counted."""

    def __init__(self) -> None:
        self.phases: dict[tuple[str, str], str] = {}
        self.lists = 0

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[dict[str, Any]]:
        assert kind == "Retraining"
        self.lists += 1
        return [
            {"metadata": {"name": name, "namespace": own}, "status": {"phase": phase}}
            for (own, name), phase in self.phases.items()
            if namespace in ("", own)
        ]


def turn(objects: Retrainings, slots: RunSlots) -> int:
    """Let every loop that waits ask for a slot; return how many runs started."""
    started = 0
    for place, phase in objects.phases.items():
        if phase == "Pending" and slots.free():
            objects.phases[place] = "Running"
            started += 1
    return started


def test_runs_start_as_slots_become_free_and_none_is_forgotten() -> None:
    objects, now = Retrainings(), [0.0]
    objects.phases = {("ads", f"loop-{n}-2"): "Pending" for n in range(LOOPS)}
    slots = RunSlots(objects, MOST, clock=lambda: now[0])
    most = rounds = 0
    while "Pending" in objects.phases.values():
        now[0] += 30
        turn(objects, slots)
        running = [place for place, phase in objects.phases.items() if phase == "Running"]
        most, rounds = max(most, len(running)), rounds + 1
        for place in running[: MOST // 2]:
            objects.phases[place] = "Ended"
    assert most == MOST
    assert rounds == pytest.approx(LOOPS / (MOST // 2), abs=2)
    assert objects.lists <= LOOPS + rounds, "who waits does not list for himself"


def test_without_a_limit_nobody_is_counted() -> None:
    objects = Retrainings()
    assert RunSlots(objects, 0).free()
    assert objects.lists == 0


def test_only_the_namespaces_that_are_watched_count() -> None:
    objects, now = Retrainings(), [0.0]
    objects.phases = {("ads", "a-1"): "Running", ("other", "b-1"): "Starting"}
    assert RunSlots(objects, 2, ("ads",)).free()
    full = RunSlots(objects, 2, clock=lambda: now[0])
    assert not full.free()
    objects.phases["ads", "a-1"] = "Ended"
    assert not full.free(), "full for a moment more"
    now[0] += PAUSE
    assert full.free()
