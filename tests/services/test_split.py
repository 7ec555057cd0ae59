"""The router between two bundles: a share of the entities each, and no request lost to either."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import httpx
import pytest
from backends import backend, switch

from driftloop.services.router import split

pytestmark = pytest.mark.slow

ENTITIES = range(600)


def asked(router: str, entities: Sequence[int]) -> dict[int, str]:
    """Return who answered for each entity."""
    with httpx.Client() as client:
        return {
            one: client.post(f"{router}/x", json={"instances": [{"query_id": one}]}).json()["name"]
            for one in entities
        }


def beside(router: str, stable: str, canary: str, share: float) -> httpx.Response:
    return switch(router, stable, "1", canary={"url": canary, "version": "2", "share": share})


def test_each_entity_keeps_its_bundle_while_the_share_grows(router: str) -> None:
    with backend("stable") as (stable, _), backend("canary") as (canary, _):
        assert beside(router, stable, canary, 0.05).status_code == 200
        first = asked(router, ENTITIES)
        beside(router, stable, canary, 0.25)
        second = asked(router, ENTITIES)
        assert asked(router, ENTITIES[:100]) == {one: second[one] for one in ENTITIES[:100]}
    early = {one for one, name in first.items() if name == "canary"}
    late = {one for one, name in second.items() if name == "canary"}
    assert early < late
    for found, share in ((early, 0.05), (late, 0.25)):
        assert abs(len(found) / 600 - share) < 4 * (share * (1 - share) / 600) ** 0.5


def test_a_header_names_the_entity_where_a_body_does_not(router: str) -> None:
    own = next(name for name in map(str, range(1000)) if split.place(name) < 0.05)
    with backend("stable") as (stable, _), backend("canary") as (canary, _):
        beside(router, stable, canary, 0.05)
        answer = httpx.post(f"{router}/x", content=b"?", headers={split.HEADER: own})
        assert answer.json()["name"] == "canary"


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_candidate_that_fails_costs_nobody_an_answer(router: str, is_gone: bool) -> None:
    with backend("stable") as (stable, _), backend("canary", status=500) as (canary, seen):
        beside(router, stable, "http://127.0.0.1:1" if is_gone else canary, 0.5)
        assert set(asked(router, ENTITIES[:200]).values()) == {"stable"}
        assert bool(seen) != is_gone
        told = httpx.get(f"{router}/driftloop/backend").json()
    assert told["failed"] == 0
    assert (told["canary"]["unanswered"] > 50) == is_gone


def test_rollout_rollback_and_promotion_under_load_drop_no_request(router: str) -> None:
    codes: list[int] = []
    ended = threading.Event()

    def hammer(own: int) -> None:
        with httpx.Client() as client:
            while not ended.is_set():
                own += 1
                body = {"instances": [{"query_id": own}]}
                codes.append(client.post(f"{router}/x", json=body).status_code)

    with backend("old", 0.01) as (old, old_seen), backend("new", 0.01) as (new, new_seen):
        switch(router, old, "1")
        threads = [threading.Thread(target=hammer, args=(n * 10**6,)) for n in range(8)]
        for thread in threads:
            thread.start()
        took = []
        for share in (0.25, 0.0, 0.5, 1.0, 0.0):
            time.sleep(0.5)
            began, before = time.monotonic(), len(new_seen)
            if share == 1.0:
                switch(router, new, "2")
            elif share:
                beside(router, old, new, share)
            else:
                switch(router, old, "1")
            took.append(time.monotonic() - began)
            if not share:  # the switch answers when nothing is in flight on the one left out
                silent = len(new_seen)
                time.sleep(0.3)
                assert len(new_seen) == silent >= before
        ended.set()
        for thread in threads:
            thread.join()
    assert set(codes) == {200}
    assert len(codes) == len(old_seen) + len(new_seen)
    assert min(len(old_seen), len(new_seen)) > 50
    assert max(took) < 2


@pytest.mark.parametrize("share", [0, 1, -0.5, "much", None])
def test_a_share_that_is_none_is_refused(router: str, share: object) -> None:
    canary = {"url": "http://127.0.0.1:1", "version": "2", "share": share}
    assert switch(router, "http://127.0.0.1:1", "1", canary=canary).status_code == 400
