"""The cluster's ledger on objects that refuse stale writes as the API server does."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from driftloop.adapters.kubernetes_ledger import KubernetesLedger
from driftloop.adapters.kubernetes_objects import Absent, Stale
from driftloop.ledger import Conflict, Entry
from driftloop.resources.models import LoopStatus
from driftloop.state import State

START = datetime(2026, 1, 1, tzinfo=UTC)


class Server:
    """One LearningLoop with a resourceVersion; ``before_write`` runs before each write."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] = {"metadata": {"name": "ads-ctr", "resourceVersion": "1"}}
        self.before_write: list[Any] = []

    def get(self, kind: str, namespace: str, name: str) -> dict[str, Any]:
        if name != "ads-ctr":
            raise Absent(name)
        return copy.deepcopy(self.stored)

    def replace_status(self, kind: str, namespace: str, content: dict[str, Any]) -> dict[str, Any]:
        if self.before_write:
            self.before_write.pop()()
        version = self.stored["metadata"]["resourceVersion"]
        if content["metadata"]["resourceVersion"] != version:
            raise Stale(kind)
        self.stored["status"] = copy.deepcopy(content["status"])
        self.stored["metadata"]["resourceVersion"] = str(int(version) + 1)
        return self.stored


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def ledger(server: Server) -> KubernetesLedger:
    return KubernetesLedger(server, "default", "ads-ctr")


def entry(**changed: Any) -> Entry:
    return Entry(**{"trigger": "x", "event_time": START, "reasons": ("why",)} | changed)


def test_a_loop_never_seen_has_the_empty_state(ledger: KubernetesLedger) -> None:
    assert ledger.state("ads-ctr") == (State(), 0)
    assert ledger.owed("ads-ctr") == []
    assert not ledger.delivered("s", "1")


def test_a_decision_is_recorded_whole(ledger: KubernetesLedger, server: Server) -> None:
    actions = (("open", {"number": 1}), ("alert", {"kind": "breaker"}))
    state = State(number=1, running=1, started=(START,))
    ledger.record("ads-ctr", 0, state, entry(actions=actions, delivery=("s", "1")))
    assert ledger.state("ads-ctr") == (state, 1)
    assert [(kind, content) for _, kind, content in ledger.owed("ads-ctr")] == list(actions)
    assert ledger.delivered("s", "1")
    assert [d["reasons"] for d in ledger.decisions("ads-ctr")] == [["why"]]
    assert server.stored["status"]["stage"] == "Training"


def test_a_record_on_an_old_generation_is_refused(ledger: KubernetesLedger) -> None:
    ledger.record("ads-ctr", 0, State(number=1), entry())
    with pytest.raises(Conflict):
        ledger.record("ads-ctr", 0, State(number=2), entry())
    assert ledger.state("ads-ctr") == (State(number=1), 1)


def test_a_write_that_comes_between_is_a_conflict(ledger: KubernetesLedger, server: Server) -> None:
    other = KubernetesLedger(server, "default", "ads-ctr")
    server.before_write = [lambda: other.record("ads-ctr", 0, State(number=7), entry())]
    with pytest.raises(Conflict):
        ledger.record("ads-ctr", 0, State(number=1), entry(delivery=("s", "1")))
    assert ledger.state("ads-ctr") == (State(number=7), 1)
    assert not ledger.delivered("s", "1")


def test_an_event_is_taken_once(ledger: KubernetesLedger, server: Server) -> None:
    other = KubernetesLedger(server, "default", "ads-ctr")
    server.before_write = [lambda: other.take("s", "1")]
    assert not ledger.take("s", "1")
    assert ledger.take("s", "2")
    with pytest.raises(Conflict):
        ledger.record("ads-ctr", 0, State(), entry(delivery=("s", "1")))


def test_done_drops_one_action_whatever_comes_between(
    ledger: KubernetesLedger, server: Server
) -> None:
    ledger.record("ads-ctr", 0, State(), entry(actions=(("open", {}), ("promote", {}))))
    first, second = (seq for seq, _, _ in ledger.owed("ads-ctr"))
    server.before_write = [lambda: KubernetesLedger(server, "default", "ads-ctr").take("s", "1")]
    ledger.done("ads-ctr", first)
    ledger.done("ads-ctr", first)
    assert [seq for seq, _, _ in ledger.owed("ads-ctr")] == [second]
    assert ledger.delivered("s", "1")


def test_only_so_many_events_are_remembered(
    ledger: KubernetesLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftloop.adapters.kubernetes_ledger.TAKEN", 3)
    for number in range(5):
        assert ledger.take("s", str(number))
    assert [ledger.delivered("s", str(n)) for n in range(5)] == [False, False, True, True, True]


def test_a_changed_spec_is_observed_once(ledger: KubernetesLedger, server: Server) -> None:
    ledger.record("ads-ctr", 0, State(champion="0001-a"), entry())
    server.stored["metadata"]["generation"] = 2
    ledger.observe(START)
    written = copy.deepcopy(server.stored)
    assert written["status"]["observedGeneration"] == 2
    assert {c["observedGeneration"] for c in written["status"]["conditions"]} == {2}
    ledger.observe(START)
    assert server.stored == written


def test_the_latest_returns_of_stages_stand_in_the_status(
    ledger: KubernetesLedger, server: Server
) -> None:
    data = {
        "from": "monitoring",
        "to": "model_development",
        "rule": "data_drift",
        "reason": "x" * 9,
    }
    for number in range(25):
        about = data | {"retraining": f"ads-ctr-{number}"}
        content = {"data": about, "id": f"r/{number}", "decided": "2026-01-01T00:00:00Z"}
        actions = (("alert", {}), ("return", content | {"data": about | {"reason": "y" * 2000}}))
        ledger.record("ads-ctr", number, State(number=number), entry(actions=actions))
    shown = ledger.returned("ads-ctr")
    assert [one["retraining"] for one in shown] == [f"ads-ctr-{n}" for n in range(5, 25)]
    assert {len(one["reason"]) for one in shown} == {1000}
    LoopStatus.model_validate({"returned": server.stored["status"]["returned"]})
