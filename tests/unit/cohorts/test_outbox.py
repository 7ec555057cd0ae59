"""The outbox: every event is sent until it was answered, once, in order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.cohorts import events, grid, outbox, steps
from driftloop.cohorts.outbox import Outbox
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import RunFailed
from driftloop_contracts.object_store import FileStore

NOW = datetime(2026, 1, 20, 1, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0)
DAY = timedelta(days=1)


class Receiver:
    """Takes what comes, and is away from the ``fails``-th event on."""

    def __init__(self, fails: int = 1000) -> None:
        self.taken: list[str] = []
        self.fails = fails

    def deliver(self, event: CloudEvent) -> str:
        if len(self.taken) >= self.fails:
            raise RunFailed("The receiver is away.")
        self.taken.append(event.id)
        return "taken"


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path)


def put_cohort(store: FileStore, end: datetime, *, empty: bool = False) -> str:
    event = events.scored("ads-ctr", end, {"rows": 1})
    key = f"{steps.scored_prefix('ads-ctr')}{end:{grid.NAME}}.json"
    store.put(key, steps.NOTHING if empty else event.to_json())
    return event.id


def put_review(store: FileStore, time: datetime, *, returned: bool = False) -> list[str]:
    kinds = {"event.json": event_types.REVIEWED, "returned.json": event_types.STAGE_RETURNED}
    told = []
    for file, kind in list(kinds.items())[: 1 + returned]:
        identity = f"review/x{'/returned' if file == 'returned.json' else ''}"
        event = CloudEvent(identity, "/driftloop/ads-ctr/review", kind, time, {"loop": "ads-ctr"})
        store.put(f"reviews/ads-ctr/2026-01-10/{file}", event.to_json())
        told.append(identity)
    store.put("reviews/ads-ctr/2026-01-10/review.json", b"{}")
    return told


def test_what_jobs_found_is_sent_in_order_and_once(store: FileStore) -> None:
    first = put_cohort(store, MIDNIGHT - DAY)
    put_cohort(store, MIDNIGHT - DAY / 2, empty=True)
    review = put_review(store, MIDNIGHT - DAY / 4, returned=True)
    last = put_cohort(store, MIDNIGHT)
    receiver = Receiver()
    assert Outbox(store, "ads-ctr").send(NOW, receiver.deliver) == 4
    assert receiver.taken == [first, *review, last]
    assert Outbox(store, "ads-ctr").send(NOW, receiver.deliver) == 0
    assert Outbox(store, "other").waiting(NOW) == []


def test_a_judgement_is_sent_whatever_its_file_is_called(store: FileStore) -> None:
    """Versions judged later may be older, and files of before began with a time."""
    for number, name in enumerate(("2026-01-18T000000-0000", "0009-c-2026-01-19T000000-0000")):
        put_judgement(store, name, number)
    receiver = Receiver()
    Outbox(store, "ads-ctr").send(NOW, receiver.deliver)
    put_judgement(store, "0007-b-2026-01-10T000000-0001", 7)
    Outbox(store, "ads-ctr").send(NOW, receiver.deliver)
    assert receiver.taken == ["shadow/0", "shadow/1", "shadow/7"]


def put_judgement(store: FileStore, name: str, number: int) -> None:
    kind, source = event_types.SHADOW_JUDGED, "/driftloop/ads-ctr/cohort"
    event = CloudEvent(f"shadow/{number}", source, kind, MIDNIGHT, {})
    store.put(f"{steps.shadow_prefix('ads-ctr')}{name}.json", event.to_json())


@given(st.lists(st.integers(0, 4), max_size=6))
def test_wherever_the_receiver_fails_nothing_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, fails: list[int]
) -> None:
    store = FileStore(tmp_path_factory.mktemp("outbox"))
    wanted = [put_cohort(store, MIDNIGHT - n * DAY) for n in range(5, 0, -1)]
    wanted += put_review(store, MIDNIGHT, returned=True)
    taken: list[str] = []
    for least in fails:
        receiver = Receiver(least)
        try:
            Outbox(store, "ads-ctr").send(NOW, receiver.deliver)
        except RunFailed:
            assert len(receiver.taken) == least
        taken += receiver.taken
    receiver = Receiver()
    Outbox(store, "ads-ctr").send(NOW, receiver.deliver)
    assert taken + receiver.taken == wanted


def test_what_was_taken_before_a_kill_is_sent_again_by_the_same_name(store: FileStore) -> None:
    sent = put_cohort(store, MIDNIGHT)
    seen: list[str] = []

    def killed(event: CloudEvent) -> str:
        seen.append(event.id)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Outbox(store, "ads-ctr").send(NOW, killed)
    receiver = Receiver()
    Outbox(store, "ads-ctr").send(NOW, receiver.deliver)
    assert seen == receiver.taken == [sent]


def test_what_is_refused_is_not_sent_again(store: FileStore) -> None:
    put_cohort(store, MIDNIGHT)
    assert Outbox(store, "ads-ctr").send(NOW, lambda _: "refused: too large") == 1
    assert Outbox(store, "ads-ctr").waiting(NOW) == []
    (key,) = store.list("cohorts/ads-ctr/told/")
    assert store.get(key) == b"refused: too large"


def test_events_too_old_or_to_come_are_not_sent(store: FileStore) -> None:
    put_cohort(store, MIDNIGHT - outbox.OLDEST - DAY)
    put_review(store, MIDNIGHT + DAY)
    assert Outbox(store, "ads-ctr").waiting(NOW) == []
    assert len(Outbox(store, "ads-ctr").waiting(MIDNIGHT + DAY)) == 1
