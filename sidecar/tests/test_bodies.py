"""Bodies in memory: bounded in number and bytes, refused with 503 and Retry-After, and counted."""

import asyncio

import httpx
import pytest

from drift_sidecar import app, bodies
from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings


@pytest.fixture
def served(store, given):
    return app.create_app(create_monitor(Settings(store.uri, given.loop, given.version)))


def flood(served, sizes, is_told=True):
    """Send bodies that all are half there before any goes on; return the answers in order."""
    half = asyncio.Event()

    async def body(size):
        yield b"x" * (size // 2)
        await half.wait()
        yield b"x" * (size - size // 2)

    async def post(client, size):
        headers = {"content-length": str(size)} if is_told else {}
        return await client.post("/", content=body(size), headers=headers)

    async def run():
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://sidecar") as client:
            tasks = [asyncio.create_task(post(client, size)) for size in sizes]
            for _ in range(20):
                await asyncio.sleep(0)
            half.set()
            answers = [await task for task in tasks]
            return answers, (await client.get("/status")).json()

    return asyncio.run(run())


@pytest.mark.parametrize("is_told", [True, False])
def test_bytes_beyond_the_room_are_503_and_counted(served, monkeypatch, is_told):
    monkeypatch.setattr(bodies, "MAX_BYTES", 100)
    answers, status = flood(served, [60, 60, 40, 60], is_told)
    found = [answer.status_code for answer in answers]
    assert sorted(set(found)) == [400, 503]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert [answer.headers["retry-after"] for answer in refused] == ["1"] * len(refused)
    assert all(answer.json()["error"].endswith("send it again later.") for answer in refused)
    assert status["intake"]["refused"]["busy"] == len(refused)
    again, _ = flood(served, [100], is_told)
    assert again[0].status_code == 400, "what was refused or done with holds no room"


def test_the_number_of_requests_at_once_is_bounded(served, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_REQUESTS", 3)
    answers, status = flood(served, [10] * 8)
    assert [answer.status_code for answer in answers].count(503) == 5
    assert status["intake"]["refused"]["busy"] == 5
    assert flood(served, [10] * 3)[1]["intake"]["refused"]["busy"] == 5


def test_a_sender_that_stops_half_way_holds_what_it_sent_and_no_more(served, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BYTES", 100)

    async def half():
        yield b"x" * 40
        raise RuntimeError

    async def run():
        transport = httpx.ASGITransport(served)
        async with httpx.AsyncClient(transport=transport, base_url="http://sidecar") as client:
            with pytest.raises(RuntimeError):
                await client.post("/", content=half(), headers={"content-length": "80"})

    asyncio.run(run())
    assert flood(served, [100])[0][0].status_code == 400


@pytest.mark.parametrize("size", [100, 51])
def test_a_body_refused_at_its_very_end_is_answered(served, monkeypatch, size):
    monkeypatch.setattr(bodies, "MAX_BYTES", 100)
    answers, _ = flood(served, [size, size])
    assert sorted(answer.status_code for answer in answers)[-1] == 503
    assert {answer.status_code for answer in answers} <= {400, 503}


@pytest.mark.parametrize("is_told", [True, False])
def test_one_of_the_largest_bodies_always_has_room(served, is_told):
    answers, _ = flood(served, [bodies.MAX_BODY], is_told)
    assert answers[0].status_code == 400
    answers, _ = flood(served, [bodies.MAX_BODY + 1], is_told)
    assert answers[0].status_code == 413
