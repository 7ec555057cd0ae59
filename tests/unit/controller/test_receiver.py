"""Receiver: every body gets an answer, and only a whole event is put aside."""

from __future__ import annotations

import queue
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from driftloop.services.controller import receiver
from driftloop_contracts.cloudevent import STRUCTURED, CloudEvent

EVENT = CloudEvent("1", "/s", "t", datetime(2026, 1, 1, tzinfo=UTC), {"a": 1})
HEADERS = {"content-type": STRUCTURED}


@pytest.fixture
def inbox() -> queue.Queue[CloudEvent]:
    return queue.Queue(maxsize=1)


@pytest.fixture
def client(inbox: queue.Queue[CloudEvent]) -> TestClient:
    return TestClient(receiver.create_app(inbox))


def test_an_event_is_put_aside(client: TestClient, inbox: queue.Queue[CloudEvent]) -> None:
    assert client.post("/", content=EVENT.to_json(), headers=HEADERS).status_code == 202
    assert inbox.get_nowait() == EVENT
    headers, body = EVENT.to_http()
    assert client.post("/", content=body, headers=headers).status_code == 202
    assert inbox.get_nowait() == EVENT


def test_a_full_inbox_asks_to_come_back(client: TestClient) -> None:
    answers = [client.post("/", content=EVENT.to_json(), headers=HEADERS) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 503]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[" * 10_000, 400), (b'{"id": "1"}', 400), (b" " * (1 << 20) + b"{}", 413)],
)
def test_any_other_body_is_refused_with_a_sentence(
    client: TestClient, inbox: queue.Queue[CloudEvent], body: bytes, status: int
) -> None:
    answer = client.post("/", content=body, headers=HEADERS)
    assert answer.status_code == status
    assert answer.json()["error"].endswith(".")
    assert inbox.empty()
