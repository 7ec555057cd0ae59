import pytest

from drift_sidecar import outbox
from drift_sidecar.outbox import Outbox


def send(address, events):
    box = Outbox(address, pause=lambda _: None)
    for event in events:
        box.put(event)
    assert box.drain(timeout=20)
    return box


def test_events_arrive_in_order(make_sink, given):
    sink = make_sink()
    box = send(sink.address, [given.watermark(hour) for hour in range(5)])
    assert [headers["ce-id"] for headers, _ in sink.received] == [f"mark-{i}" for i in range(5)]
    assert box.undelivered == 0


def test_a_failing_sink_is_tried_again(make_sink, given):
    sink = make_sink(503, 429, 500, 404, 401)
    assert send(sink.address, [given.watermark(1)]).undelivered == 0
    assert len(sink.received) == 1


@pytest.mark.parametrize("refusals", [[400], [500] * outbox.TRIES], ids=["refused", "broken"])
def test_an_event_nobody_takes_is_given_up_and_counted(make_sink, given, refusals):
    sink = make_sink(*refusals)
    assert send(sink.address, [given.watermark(1), given.watermark(2)]).undelivered == 1
    assert [headers["ce-id"] for headers, _ in sink.received] == ["mark-2"]


def test_without_a_sink_nothing_waits(given):
    assert send("", [given.watermark(1)]).undelivered == 0


def test_the_token_is_read_anew_for_every_delivery(make_sink, given, tmp_path):
    sink, token = make_sink(), tmp_path / "token"
    box = Outbox(sink.address, pause=lambda _: None, token_file=str(token))
    for text in ("first\n", "second"):
        token.write_text(text)
        box.put(given.watermark(1))
        assert box.drain(timeout=20)
    sent = [headers["authorization"] for headers, _ in sink.received]
    assert sent == ["Bearer first", "Bearer second"]


def test_without_its_token_an_event_is_given_up_not_sent(make_sink, given, tmp_path):
    sink = make_sink()
    box = Outbox(sink.address, pause=lambda _: None, token_file=str(tmp_path / "absent"))
    box.put(given.watermark(1))
    assert box.drain(timeout=20)
    assert (box.undelivered, sink.received) == (1, [])
