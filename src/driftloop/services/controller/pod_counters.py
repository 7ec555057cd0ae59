"""Pod counters: what a bundle's pods say they answered, asked all at once over HTTP.

A pod is no friend: one that does not answer in time, says too much or nonsense is left out.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx
from pydantic import ValidationError

from driftloop.resources.pod import PREDICTOR_PORT
from driftloop.rollout.arm import Arm
from driftloop.rollout.contrast import Moments
from driftloop.rollout.entities import GROUPS, Entities
from driftloop_contracts.errors import InvalidInput

Ask = Callable[[Sequence[str]], list[bytes]]
"""Returns what is at these addresses (host:port), of those that answer."""

SECONDS = 2.0
"""A pod's time for the whole of its answer."""
MAX_BODY = 1 << 16
AT_ONCE = 16
MOST = 100
"""Pods asked; a bundle with more is known by these, always the same ones."""
NAME = re.compile(r"[A-Za-z0-9._:-]{1,100}")
MANY, LARGE = 1 << 53, 1e15
"""No counter of a process comes near these, and their sums stay numbers."""


def of(addresses: Sequence[str], ask: Ask) -> dict[str, Arm]:
    """Return the counters of the processes at ``addresses`` that tell them."""
    found: dict[str, Arm] = {}
    for body in ask(sorted(addresses)[:MOST]):
        try:
            name, arm = read(body)
        except InvalidInput:
            continue
        found[name] = arm
    return found


def addresses(slices: Iterable[dict[str, Any]]) -> list[str]:
    """Return where the ready endpoints of EndpointSlices answer."""
    return [
        f"[{address}]:{PREDICTOR_PORT}" if ":" in address else f"{address}:{PREDICTOR_PORT}"
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint["addresses"][:1]
    ]


def ask(addresses: Sequence[str]) -> list[bytes]:
    """Return the status of each predictor that tells it in time."""
    return asyncio.run(_all(addresses)) if addresses else []


async def _all(addresses: Sequence[str]) -> list[bytes]:
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(timeout=SECONDS, trust_env=False) as client:
        found = await asyncio.gather(*(_one(client, turns, one) for one in addresses))
    return [body for body in found if body is not None]


async def _one(client: httpx.AsyncClient, turns: asyncio.Semaphore, address: str) -> bytes | None:
    async with turns:
        try:
            # httpx's own limit is for each piece: whoever sends byte by byte would never end.
            async with asyncio.timeout(SECONDS):
                return await _read(client, f"http://{address}/driftloop/status")
        except (OSError, httpx.HTTPError, httpx.InvalidURL):
            return None


async def _read(client: httpx.AsyncClient, url: str) -> bytes:
    body = b""
    async with client.stream("GET", url, headers={"accept-encoding": "identity"}) as answer:
        answer.raise_for_status()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MAX_BODY:
                raise OSError(f"{url} says more than {MAX_BODY} bytes")
    return body


def read(body: bytes) -> tuple[str, Arm]:
    """Return a predictor's process, named, and what it answered; raise InvalidInput.

    >>> read(b'{"pod_uid": "a", "run": "1", "answered": {"requests": 3, "failed": 1}}')[0]
    'a/1'
    """
    where, allowed = "a predictor's status", "its counters since its start"
    try:
        content = json.loads(body)
        names, arm = (content["pod_uid"], content["run"]), Arm(**content["answered"])
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise InvalidInput("answered", where, allowed, str(error)[:200]) from error
    if not all(isinstance(one, str) and NAME.fullmatch(one) for one in names) or not _can_be(arm):
        raise InvalidInput("answered", where, allowed, ascii(arm)[:200])
    return "/".join(names), arm


def _can_be(arm: Arm) -> bool:
    """Whether counters can have these values."""
    counts = 0 <= arm.failed <= arm.requests <= MANY and arm.latency.n <= arm.requests
    return counts and _is_sum(arm.latency) and _is_sum(arm.prediction) and _is_split(arm.entities)


def _is_sum(one: Moments) -> bool:
    """Whether the squares are as large as the mean's at least (Cauchy and Schwarz)."""
    if not (0 <= one.n <= MANY and abs(one.total) <= LARGE and 0 <= one.square <= LARGE):
        return False
    return one.square * one.n >= one.total**2 * (1 - 1e-6) - 1e-6


def _is_split(entities: Entities) -> bool:
    """Whether there are none, or all, of values that can be summed."""
    sizes = {len(entities.n), len(entities.total)}
    counts = all(0 <= count <= MANY for count in entities.n)
    return sizes in ({0}, {GROUPS}) and counts and all(abs(t) <= LARGE for t in entities.total)
