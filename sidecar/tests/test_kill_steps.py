"""kill -9 between any two steps from the answer 202 to the sink, with a real process.

Each obstacle makes the process stop at one step: a folder where a file must be written, a store
that is no folder, a sink that does not answer. The kills by number come at a change that the
process itself makes to its files. Whatever the kill leaves, the next process makes the log and the
events that one without a kill makes.
"""

import json
import random
import shutil
import threading
import time
from collections import Counter

import pytest
from sidecar_process import SidecarProcess, seqs
from starlette.testclient import TestClient

from drift_sidecar import app
from drift_sidecar.process import create_monitor
from drift_sidecar.seen import digest
from drift_sidecar.settings import Settings
from driftloop_contracts.inference_arrow import to_stream
from driftloop_contracts.object_store import FileStore


@pytest.fixture
def spool(tmp_path):
    return tmp_path / "spool"


@pytest.fixture
def start(store, given, spool):
    """Return a function that starts a sidecar on one spool; the next gets ready meanwhile."""
    environ = {
        "DRIFTLOOP_STORE": store.uri,
        "DRIFTLOOP_LOOP": given.loop,
        "DRIFTLOOP_BUNDLE": given.version,
        "DRIFTLOOP_SPOOL": str(spool),
    }
    processes = []

    def started(sink):
        own = environ | {"DRIFTLOOP_SINK": sink.address}
        current = processes[-1] if processes else SidecarProcess(**own)
        processes.extend([*([] if processes else [current]), SidecarProcess(**own)])
        return current.watch()

    yield started
    for process in processes:
        process.discard()


@pytest.fixture
def undisturbed(given, tmp_path):
    """Return what a sidecar that nobody kills tells about the same events."""

    def told(events):
        store = FileStore(tmp_path / "undisturbed")
        given.put_bundle(store)
        client = TestClient(
            app.create_app(create_monitor(Settings(store.uri, given.loop, given.version)))
        )
        answers = []
        for event in events:
            headers, body = event.to_http()
            answers.append(client.post("/", content=body, headers=headers).json())
        return {e["id"]: e["data"] for answer in answers for e in answer.get("events", [])}

    return told


def events_of(sink):
    """Return each event's content by its id; fail where one id came with two contents."""
    found = {}
    for headers, body in sink.received:
        assert found.setdefault(headers["ce-id"], body) == body
    return found


def outbox_file(given, number, what):
    event_id = f"{given.loop}/{given.version}/2012-04-01T00:00:00Z/{what}"
    return f"{number:012d}-{digest(f'/driftloop/{given.loop}/sidecar', event_id).hex()}.new"


class Steps:
    """What stands in the way at a step, and how it is cleared away after the kill."""

    def __init__(self, spool, store, given):
        self.own = spool / given.loop / given.version
        self.outbox, self.store, self.given = spool / ".outbox", store, given
        self.aside = store.root.with_name("aside")

    def answered(self, _):
        """Nothing happened yet beside the answer."""

    def end_noted(self, process):
        self.store.root.rename(self.aside)
        self.store.root.write_text("no folder")
        assert process.post(self.given.watermark(1))[0] == 503
        self.store.root.unlink()
        self.aside.rename(self.store.root)

    def scored(self, process):
        (self.outbox / outbox_file(self.given, 0, "scored")).mkdir()
        assert process.post(self.given.watermark(1))[0] == 503

    def scored_in_the_store_not_in_the_name(self, process):
        """The object is in the store; the segment's name does not say so yet."""
        self.scored(process)
        (one,) = self.own.glob("*.logged")
        process.kill()
        one.rename(one.with_suffix(".sealed"))

    def first_event_kept(self, process):
        (self.outbox / outbox_file(self.given, 1, "detected")).mkdir()
        assert process.post(self.given.watermark(1))[0] == 503

    def both_events_kept_and_not_noted(self, process):
        self.end_noted(process)
        (self.own / "checkpoint.new").mkdir()
        assert process.post(self.given.watermark(1))[0] == 503

    def noted_and_not_deleted(self, process):
        """The checkpoint names the segment as deleted; its file is still there."""
        self.scored(process)
        (one,) = self.own.glob("*.logged")
        content = one.read_bytes()
        self.clear()
        assert process.post(self.given.watermark(1))[0] == 200
        assert not one.exists()
        process.kill()
        one.write_bytes(content)

    def clear(self):
        for folder in [*self.outbox.glob("*.new"), *self.own.glob("*.new")]:
            shutil.rmtree(folder)


@pytest.mark.parametrize(
    "step",
    [
        "answered",
        "end_noted",
        "scored",
        "scored_in_the_store_not_in_the_name",
        "first_event_kept",
        "both_events_kept_and_not_noted",
        "noted_and_not_deleted",
    ],
)
def test_a_kill_at_a_step_changes_neither_log_nor_events(
    start, make_sink, store, given, spool, undisturbed, step
):
    sink, steps = make_sink(), Steps(spool, store, given)
    batches = [given.batch(60, 0.5, seq=0, shift=2.0), given.batch(60, 1.5, seq=120)]
    process = start(sink)
    assert [process.post(event) for event in batches] == [(202, {"duplicate": False})] * 2
    getattr(steps, step)(process)
    process.kill()
    steps.clear()
    process = start(sink)
    assert [process.post(event) for event in batches] == [(202, {"duplicate": True})] * 2
    assert process.status()["missing"] == 60
    assert process.status()["dropped"] == {}
    assert process.post(given.watermark(2))[0] == 200
    assert process.stop() == 0
    assert seqs(store) == [*range(60), *range(120, 180)]
    assert events_of(sink) == undisturbed([*batches, given.watermark(1), given.watermark(2)])


@pytest.mark.parametrize("is_taken", [True, False])
def test_a_kill_while_the_sink_has_an_event_sends_the_same_again(
    start, make_sink, store, given, undisturbed, is_taken
):
    """The sink has the request, took it or not, and does not answer before the kill."""
    sink = make_sink()
    sink.stall(is_taken)
    process = start(sink)
    batch = given.batch(60, 0.5)
    assert process.post(batch)[0] == 202
    threading.Thread(target=process.post, args=(given.watermark(1),), daemon=True).start()
    assert sink.stalled.wait(30)
    assert process.status()["outbox"] == 1
    process.kill()
    sink.go_on()
    process = start(sink)
    process.await_status(lambda told: told["outbox"] == 0)
    assert len(sink.received) == 1 + is_taken
    assert events_of(sink) == undisturbed([batch, given.watermark(1)])
    assert process.post(batch) == (202, {"duplicate": True})
    assert process.stop() == 0
    assert seqs(store) == list(range(60))


class Killer(threading.Thread):
    """Kills a process at the n-th change of its files' names, or of its checkpoint."""

    def __init__(self, process, folders, changes):
        super().__init__(daemon=True)
        self.process, self.folders, self.changes = process, folders, changes
        self.is_over = False
        self.start()

    def look(self):
        paths = [path for folder in self.folders for path in folder.glob("**/*")]
        return {(p.name, p.suffix == ".json" and p.stat().st_ino) for p in paths if p.exists()}

    def run(self):
        before, seen = self.look(), 0
        while not self.is_over and seen < self.changes:
            try:
                now = self.look()
            except FileNotFoundError:  # it was renamed under our eyes
                continue
            seen, before = seen + (now != before), now
        if not self.is_over:
            self.process.child.kill()

    def end(self):
        self.is_over = True
        self.join()


class Sender:
    """Sends until it is answered; a process that is killed meanwhile is replaced by the next."""

    def __init__(self, start, sink, folders, rng):
        self.start, self.sink, self.folders, self.rng = start, sink, folders, rng
        self.process, self.kills = start(sink), 0
        self.killer = Killer(self.process, folders, rng.randrange(3, 30))

    def send(self, headers, body, expected):
        while self.process.send(headers, body)[0] != expected:
            if self.killer.is_alive() and self.process.child.poll() is None:
                time.sleep(0.02)
                continue
            self.revive()

    def revive(self):
        self.killer.end()
        self.process.kill()
        self.kills += 1
        self.process = self.start(self.sink)
        self.killer = Killer(self.process, self.folders, self.rng.randrange(3, 30))


@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_changes_of_files_lose_and_double_nothing(
    start, make_sink, store, given, spool, seed
):
    """Events over two windows, gaps that nobody fills, and a sink that refuses now and then."""
    rng = random.Random(seed)
    sink = make_sink(*(rng.choice([202, 503]) for _ in range(20)))
    sender, sent, gaps = Sender(start, sink, [spool, store.root], rng), [], 0
    for number in range(28):
        first, hour = 120 * number, number / 4
        if number % 9 == 4:
            gaps += 120
            continue
        body = to_stream(*given.arrays(60, [hour, hour + 0.25], first))
        sender.send(given.headers(first), body, 202)
        sent += range(first, first + 120)
        if number % 4 == 3:
            sender.send(*given.watermark(number // 4 + 1).to_http(), 200)
    sender.send(*given.watermark(8).to_http(), 200)
    sender.killer.end()
    if sender.process.child.poll() is not None:
        sender.revive()
    process = sender.process
    sender.killer.end()
    process.await_status(lambda told: told["outbox"] == 0)
    told = process.status()
    assert (told["missing"], told["dropped"], told["undelivered"]) == (gaps, {}, 0)
    assert process.stop() == 0
    assert sender.kills >= 3
    assert seqs(store) == sent
    scored = {i: data["n"] for i, data in events_of(sink).items() if i.endswith("/scored")}
    assert len(scored) == 8
    assert sum(scored.values()) == len(sent)
    repeated = Counter(json.dumps(body) for _, body in sink.received)
    assert len(repeated) == len(events_of(sink))
