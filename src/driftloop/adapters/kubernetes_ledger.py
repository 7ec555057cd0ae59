"""The ledger of a cluster: the LearningLoop's status, written whole with its resourceVersion.

The API server refuses a write on an old resourceVersion; that is the compare-and-set. One
object holds state, owed actions and taken events, so there is no half of a decision. Several
controllers may act at once: every action is safe to repeat (docs/adr/0007).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from driftloop.adapters.kubernetes_objects import Object, Objects, Stale
from driftloop.ledger import Conflict, Entry, Owed
from driftloop.resources import conditions, loop_event, standing
from driftloop.resources.conditions import Condition
from driftloop.state import State
from driftloop_contracts import times

TAKEN = 2000
"""Events remembered in the status; LoopEvent objects remember them longer."""
DECISIONS = 50
"""Decisions shown in the status; Kubernetes Events and logs hold more."""
RETURNED = 20
"""Returns of stages shown in the status."""
ATTEMPTS = 20
"""Tries at a write that does not depend on the generation."""


class KubernetesLedger:
    """The ledger of one loop in one namespace."""

    def __init__(self, objects: Objects, namespace: str, loop: str) -> None:
        self._objects, self._namespace, self._loop = objects, namespace, loop

    def delivered(self, source: str, event_id: str) -> bool:
        """Return whether the CloudEvent was taken before."""
        return loop_event.name(self._loop, source, event_id) in _ledger(self._read())["taken"]

    def take(self, source: str, event_id: str) -> bool:
        """Take the CloudEvent and return True; False when it was taken before."""
        name = loop_event.name(self._loop, source, event_id)

        def add(ledger: Object) -> bool:
            if name in ledger["taken"]:
                return False
            ledger["taken"] = [*ledger["taken"], name][-TAKEN:]
            return True

        return self._change(add)

    @contextmanager
    def acting(self, loop: str) -> Iterator[bool]:
        """Yield True: actions are safe to repeat, so no lock is needed for them to be right."""
        yield True

    def state(self, loop: str) -> tuple[State, int]:
        """Return the loop's state and its generation."""
        ledger = _ledger(self._read())
        return State.model_validate(ledger["state"]), int(ledger["generation"])

    def record(self, loop: str, generation: int, state: State, entry: Entry) -> None:
        """Record a decision made on ``generation``; raise Conflict when that is not the newest."""
        found = self._read()
        ledger = _ledger(found)
        if ledger["generation"] != generation:
            raise Conflict(f"{loop} is past generation {generation}")
        if entry.delivery:
            name = loop_event.name(loop, *entry.delivery)
            if name in ledger["taken"]:
                raise Conflict(f"{entry.delivery} was delivered before")
            ledger["taken"] = [*ledger["taken"], name][-TAKEN:]
        _append(ledger, entry)
        ledger |= {"generation": generation + 1, "state": state.model_dump(mode="json")}
        status = found["status"] | _stands(found, state, entry.event_time) | {"ledger": ledger}
        if entry.reasons:
            status["decisions"] = [*status.get("decisions", []), _decision(entry)][-DECISIONS:]
        if sent := [content for kind, content in entry.actions if kind == "return"]:
            told = [*status.get("returned", []), *map(standing.returned, sent)]
            status["returned"] = told[-RETURNED:]
        self._write(found | {"status": status})

    def owed(self, loop: str) -> list[Owed]:
        """Return the actions not yet done, in order."""
        owed = _ledger(self._read())["owed"]
        return [(action["seq"], action["kind"], dict(action["content"])) for action in owed]

    def done(self, loop: str, seq: int) -> None:
        """Mark an action done; a second call changes nothing."""

        def drop(ledger: Object) -> bool:
            left = [action for action in ledger["owed"] if action["seq"] != seq]
            changed = len(left) < len(ledger["owed"])
            ledger["owed"] = left
            return changed

        self._change(drop)

    def close_retraining(
        self, name: str, verdict: str, version: str, reasons: Sequence[str]
    ) -> None:
        """Do nothing: the Retraining's own status said so before anybody could ask."""

    def retrainings(self, loop: str) -> list[dict[str, Any]]:
        """Return the loop's Retrainings in order, with how each ended."""
        found = self._objects.list("Retraining", self._namespace, f"driftloop.io/loop={loop}")
        rows = [
            {
                "name": item["metadata"]["name"],
                "loop": loop,
                "event_time": item["spec"]["cutoff"],
                **{key: item["spec"].get(key) for key in ("number", "causes", "onset", "champion")},
                **{k: item.get("status", {}).get(k) for k in ("verdict", "version", "reasons")},
            }
            for item in found
        ]
        return sorted(rows, key=lambda row: int(row["number"]))

    def decisions(self, loop: str) -> list[dict[str, Any]]:
        """Return the latest recorded decisions that had a reason, in order."""
        return list(self._read()["status"].get("decisions", []))

    def returned(self, loop: str) -> list[dict[str, Any]]:
        """Return how stages sent the loop back of late, in order."""
        return list(self._read()["status"].get("returned", []))

    def observe(self, now: datetime, others: Sequence[Condition] = ()) -> None:
        """Say in the status that the spec as it is now was seen, and ``others`` that were found.

        Nothing is written where nothing changed; raise Conflict where the loop moved on.
        """
        found = self._read()
        state = State.model_validate(_ledger(found)["state"])
        status = found["status"] | _stands(found, state, now)
        generation = status["observedGeneration"]
        status["conditions"] = conditions.merged(status["conditions"], others, now, generation)
        if status != found["status"]:
            self._write(found | {"status": status})

    def _write(self, content: Object) -> None:
        try:
            self._objects.replace_status("LearningLoop", self._namespace, content)
        except Stale as error:
            raise Conflict(f"{self._loop} changed") from error

    def _read(self) -> Object:
        found = self._objects.get("LearningLoop", self._namespace, self._loop)
        return found | {"status": found.get("status") or {}}

    def _change(self, change: Callable[[Object], bool]) -> bool:
        """Write what ``change`` makes of the ledger, and return whether it changed anything."""
        for _ in range(ATTEMPTS):
            found = self._read()
            ledger = _ledger(found)
            if not change(ledger):
                return False
            content = found | {"status": found["status"] | {"ledger": ledger}}
            try:
                self._objects.replace_status("LearningLoop", self._namespace, content)
                return True
            except Stale:
                continue
        raise Conflict(f"{self._loop} changed {ATTEMPTS} times during one write")


def _stands(found: Object, state: State, now: datetime) -> Object:
    return standing.of(state, found["status"], now, int(found["metadata"].get("generation", 1)))


def _ledger(found: Object) -> Object:
    empty: Object = {"generation": 0, "sequence": 0, "state": {}, "owed": [], "taken": []}
    known: Object = found["status"].get("ledger", {})
    return empty | known


def _append(ledger: Object, entry: Entry) -> None:
    for kind, content in entry.actions:
        ledger["sequence"] += 1
        action = {"seq": ledger["sequence"], "kind": kind, "content": content}
        ledger["owed"] = [*ledger["owed"], action]


def _decision(entry: Entry) -> Object:
    time = times.to_text(entry.event_time)
    return {"time": time, "trigger": entry.trigger, "reasons": list(entry.reasons)}
