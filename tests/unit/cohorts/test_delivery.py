"""Delivery over HTTP: what is tried again, what is refused for ever, what stops the job."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from driftloop.services.cohort import delivery
from driftloop.services.cohort.delivery import Delivery
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput, RunFailed

EVENT = CloudEvent(
    "cohort/1",
    "/driftloop/a/cohort",
    event_types.COHORT_SCORED,
    datetime(2026, 1, 1, tzinfo=UTC),
    {},
)


class Server(HTTPServer):
    """Answers with ``answers`` in turn (0: hangs up), the last one for ever."""

    answers: list[int]
    seen: list[tuple[str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.seen.append((self.headers["ce-id"], self.headers["authorization"]))
        status = (
            self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        )
        self.rfile.read(int(self.headers["content-length"]))
        if status:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"Why." if status >= 300 else b"")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server(("127.0.0.1", 0), Handler)
    found.answers, found.seen = [202], []
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("one\n")
    return path


def sending(server: Server, token: Path, pauses: list[float]) -> Delivery:
    return Delivery(f"http://127.0.0.1:{server.server_port}/", token, pauses.append)


def test_a_token_that_was_made_anew_is_read_anew(server: Server, token: Path) -> None:
    client = sending(server, token, [])
    assert client.send(EVENT) == "taken"
    token.write_text("two")
    client.send(EVENT)
    assert server.seen == [("cohort/1", "Bearer one"), ("cohort/1", "Bearer two")]


@pytest.mark.parametrize("first", [0, 429, 503, 500])
def test_what_may_be_taken_later_is_tried_again_at_growing_pauses(
    server: Server, token: Path, first: int
) -> None:
    server.answers, pauses = [first] * 3 + [202], []
    assert sending(server, token, pauses).send(EVENT) == "taken"
    assert pauses == [1.0, 2.0, 4.0]


def test_a_receiver_that_stays_away_ends_the_job(server: Server, token: Path) -> None:
    server.answers, pauses = [503], []
    with pytest.raises(RunFailed, match="did not take cohort/1: 503 Why."):
        sending(server, token, pauses).send(EVENT)
    assert sum(pauses) <= delivery.PATIENCE


@pytest.mark.parametrize("status", delivery.REFUSED)
def test_what_is_refused_for_ever_is_noted(server: Server, token: Path, status: int) -> None:
    server.answers = [status]
    assert sending(server, token, []).send(EVENT) == "refused: Why."


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_a_person_must_mend_stops_the_job_at_once(
    server: Server, token: Path, status: int
) -> None:
    server.answers, pauses = [status], []
    with pytest.raises(RunFailed, match=f"answered {status} to cohort/1: Why."):
        sending(server, token, pauses).send(EVENT)
    assert pauses == []


def test_an_address_that_is_none_is_refused(token: Path) -> None:
    with pytest.raises(InvalidInput, match="an http"):
        Delivery("file:///etc/passwd", token)
