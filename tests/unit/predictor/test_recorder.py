"""The recorder against real servers: what they take, refuse, swallow, and never answer."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc

import numpy as np
import pytest

from driftloop.services.predictor.delivery import Delivery
from driftloop.services.predictor.recorder import Recorder
from driftloop.services.predictor.waiting import Bounds


@pytest.fixture
def record_to(given):
    """Return a function: the sidecar's address -> a recorder and a function that serves rows."""

    def made(url: str, bounds: Bounds | None = None, interval: float = 0.02, **limits: float):
        delivery = Delivery(url, **limits) if url else None
        recorder = Recorder(delivery, "/predictor/pod-1", given.origin, bounds, interval=interval)

        def serve(rows: int = 1, **changes) -> None:
            recorder.put(given.record(recorder.next_seq(rows), rows=rows, **changes))

        return recorder, serve

    return made


def counts(recorder: Recorder) -> tuple[int, int, int]:
    status = recorder.status()
    return status["sent_rows"], status["dropped_rows"], status["failed_rows"]


def test_many_requests_share_one_exchange(record_to, make_sidecar) -> None:
    sidecar = make_sidecar()
    recorder, serve = record_to(sidecar.url, interval=0.2)
    for _ in range(300):
        serve()
    recorder.drain(10)
    assert counts(recorder) == (300, 0, 0)
    assert [row["seq"] for row in sidecar.taken] == list(range(300))
    assert len(sidecar.events) <= 3


def test_without_a_sidecar_nothing_is_kept(record_to) -> None:
    recorder, serve = record_to("")
    serve(5)
    recorder.drain(1)
    assert counts(recorder) == (5, 0, 0)
    assert len(recorder._waiting) == 0


@pytest.mark.parametrize("status", [503, 500, 0])
def test_a_busy_or_silent_sidecar_is_asked_again_under_the_same_id(
    record_to, make_sidecar, status
) -> None:
    sidecar = make_sidecar(status, status)
    recorder, serve = record_to(sidecar.url)
    serve(2)
    recorder.drain(10)
    assert counts(recorder) == (2, 0, 0)
    assert [status for _, status, _ in sidecar.events] == [status, status, 202]
    assert len({event_id for event_id, _, _ in sidecar.events}) == 1


def test_two_runs_of_one_container_never_share_an_id(record_to, make_sidecar) -> None:
    sidecar = make_sidecar()
    for _ in range(2):
        recorder, serve = record_to(sidecar.url)
        serve()
        recorder.drain(10)
    assert len({event_id for event_id, _, _ in sidecar.events}) == 2


def test_what_is_busy_for_too_long_is_counted_as_failed(record_to, make_sidecar) -> None:
    sidecar = make_sidecar(*[503] * 1000)
    recorder, serve = record_to(sidecar.url, patience=0.3)
    serve(3)
    recorder.drain(10)
    assert counts(recorder) == (0, 0, 3)
    assert 3 <= len(sidecar.events) <= 6


def test_a_sidecar_that_is_not_there_yet_gets_everything_later(record_to, make_sidecar) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    recorder, serve = record_to(f"http://127.0.0.1:{port}", patience=10)
    for _ in range(50):
        serve()
    time.sleep(0.3)
    assert counts(recorder) == (0, 0, 0)
    sidecar = make_sidecar()
    recorder._delivery._address = sidecar.url.removeprefix("http://")
    recorder.drain(10)
    assert counts(recorder) == (50, 0, 0)


def test_one_unfit_record_takes_no_other_with_it(record_to, make_sidecar) -> None:
    sidecar = make_sidecar(unfit=lambda row: row["weight"] == 7.0)
    recorder, serve = record_to(sidecar.url, interval=0.2)
    for number in range(20):
        serve(weights=np.array([7.0 if number == 13 else 1.0]))
    bad = {"relevance": np.zeros(1), "device": np.array(["\ud800"], dtype=object)}
    serve(features=bad)
    recorder.drain(10)
    assert counts(recorder) == (20 - 1, 0, 2)
    assert [row["seq"] for row in sidecar.taken] == [n for n in range(20) if n != 13]


def test_a_foreign_sidecar_is_not_asked_again(record_to, make_sidecar) -> None:
    sidecar = make_sidecar(*[409] * 10)
    recorder, serve = record_to(sidecar.url, interval=0.2)
    serve()
    serve()
    recorder.drain(10)
    assert (counts(recorder), len(sidecar.events)) == ((0, 0, 2), 1)


def test_a_slow_sidecar_loses_rows_and_the_others_weigh_for_them(record_to, make_sidecar) -> None:
    sidecar = make_sidecar(delay=0.02)
    recorder, serve = record_to(sidecar.url, Bounds(records=4))
    for _ in range(400):
        serve()
        time.sleep(0.001)
    recorder.drain(10)
    sent, dropped, failed = counts(recorder)
    assert (sent + dropped, failed) == (400, 0)
    assert dropped > 50
    weight = sum(row["weight"] for row in sidecar.taken)
    assert weight + recorder._waiting.owed == pytest.approx(400)
    assert len(sidecar.taken) == sent


def test_a_frozen_sidecar_grows_no_memory_and_holds_nothing_up(record_to) -> None:
    """It accepts the connection, reads nothing and never answers, as after a SIGSTOP."""
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        url = f"http://127.0.0.1:{frozen.getsockname()[1]}"
        recorder, serve = record_to(
            url, Bounds(records=200, size=1 << 20), timeout=0.2, patience=0.5
        )
        tracemalloc.start()
        slowest, before = 0.0, tracemalloc.get_traced_memory()[0]
        for _ in range(20_000):
            began = time.perf_counter()
            serve()
            slowest = max(slowest, time.perf_counter() - began)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert grown < 4 << 20
        assert slowest < 0.25
        began = time.monotonic()
        recorder.drain(0.3)
        assert time.monotonic() - began < 1
        sent, dropped, failed = counts(recorder)
        assert sent == 0
        assert dropped > 15_000
        assert dropped + failed <= 20_000


def test_rows_are_counted_from_many_threads(record_to, make_sidecar) -> None:
    sidecar = make_sidecar()
    recorder, serve = record_to(sidecar.url, Bounds(records=100_000))
    threads = [threading.Thread(target=lambda: [serve() for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.drain(20)
    assert counts(recorder) == (2000, 0, 0)
    assert sorted(row["seq"] for row in sidecar.taken) == list(range(2000))
