import threading

import pytest

from drift_sidecar import outbox
from drift_sidecar.outbox import Outbox


@pytest.fixture
def send(tmp_path):
    def sent(address, events):
        box = Outbox(address, tmp_path, pause=lambda _: None)
        for event in events:
            box.put(event)
        assert box.drain(timeout=20)
        return box

    return sent


def ids(sink):
    return [headers["ce-id"] for headers, _ in sink.received]


def test_events_arrive_in_order(send, make_sink, given):
    sink = make_sink()
    box = send(sink.address, [given.watermark(hour) for hour in range(5)])
    assert ids(sink) == [f"mark-{i}" for i in range(5)]
    assert box.status() == {"outbox": 0, "undelivered": 0}


def test_a_failing_sink_is_tried_until_it_takes_the_event(send, make_sink, given):
    sink = make_sink(503, 429, 404, 401, *[500] * 300)
    assert send(sink.address, [given.watermark(1)]).status()["undelivered"] == 0
    assert ids(sink) == ["mark-1"]


def test_an_event_that_the_sink_refuses_is_counted_and_set_aside(send, make_sink, given, tmp_path):
    sink = make_sink(400)
    box = send(sink.address, [given.watermark(1), given.watermark(2)])
    assert (box.refused, ids(sink)) == (1, ["mark-2"])
    assert len(list((tmp_path / "refused").glob("*.json"))) == 1


def test_events_wait_on_disk_for_the_next_process(make_sink, given, tmp_path):
    stopped = threading.Event()
    box = Outbox("http://127.0.0.1:9/", tmp_path, pause=lambda _: stopped.wait())
    for hour in (1, 2, 1):
        box.put(given.watermark(hour))
    assert box.status()["outbox"] == 2
    sink = make_sink()
    assert Outbox(sink.address, tmp_path).drain(timeout=20)
    assert ids(sink) == ["mark-1", "mark-2"]


def test_a_full_outbox_gives_up_the_oldest_and_counts_it(make_sink, given, tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "SIZE", 2)
    stopped = threading.Event()
    box = Outbox("http://127.0.0.1:9/", tmp_path, pause=lambda _: stopped.wait())
    for hour in range(5):
        box.put(given.watermark(hour))
    assert (box.dropped, box.status()) == (3, {"outbox": 2, "undelivered": 3})
    sink = make_sink()
    assert Outbox(sink.address, tmp_path).drain(timeout=20)
    assert ids(sink) == ["mark-3", "mark-4"]


def test_without_a_sink_nothing_waits(send, given):
    assert send("", [given.watermark(1)]).status() == {"outbox": 0, "undelivered": 0}


def test_the_token_is_read_anew_for_every_delivery(make_sink, given, tmp_path):
    sink, token = make_sink(), tmp_path / "token"
    box = Outbox(sink.address, tmp_path / "box", pause=lambda _: None, token_file=str(token))
    for number, text in enumerate(("first\n", "second")):
        token.write_text(text)
        box.put(given.watermark(number))
        assert box.drain(timeout=20)
    sent = [headers["authorization"] for headers, _ in sink.received]
    assert sent == ["Bearer first", "Bearer second"]


def test_without_its_token_an_event_waits_and_is_not_sent(make_sink, given, tmp_path):
    sink, token = make_sink(), tmp_path / "token"
    tried = threading.Semaphore(0)
    box = Outbox(
        sink.address, tmp_path / "box", pause=lambda _: tried.release(), token_file=str(token)
    )
    box.put(given.watermark(1))
    assert tried.acquire(timeout=20)
    assert sink.received == []
    token.write_text("there")
    assert box.drain(timeout=20)
    assert ids(sink) == ["mark-1"]
