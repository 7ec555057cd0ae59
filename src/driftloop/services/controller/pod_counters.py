"""Pod counters: what a bundle's pods say they answered, asked one by one over HTTP.

A pod is no friend: one that does not answer in time, says too much or nonsense is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from pydantic import ValidationError

from driftloop.resources.pod import PREDICTOR_PORT
from driftloop.rollout.arm import Arm
from driftloop.rollout.entities import GROUPS, Entities
from driftloop_contracts.errors import InvalidInput

Ask = Callable[[str], bytes]
"""Returns the body at an address; raises OSError or httpx.HTTPError."""

SECONDS = 2.0
MAX_BODY = 1 << 16
AT_ONCE = 8


def of(addresses: Sequence[str], ask: Ask) -> dict[str, Arm]:
    """Return the counters of the processes at ``addresses`` (host:port) that tell them."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda address: _told(address, ask), addresses)
        return dict(one for one in found if one)


def addresses(slices: Iterable[dict[str, Any]]) -> list[str]:
    """Return where the ready endpoints of EndpointSlices answer."""
    return [
        f"[{address}]:{PREDICTOR_PORT}" if ":" in address else f"{address}:{PREDICTOR_PORT}"
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint["addresses"][:1]
    ]


def ask(address: str) -> bytes:
    """Return what is at an address; raise httpx.HTTPError, or OSError for a body too large."""
    body = b""
    with httpx.stream("GET", f"http://{address}/driftloop/status", timeout=SECONDS) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > MAX_BODY:
                raise OSError(f"{address} says more than {MAX_BODY} bytes")
    return body


def _told(address: str, ask: Ask) -> tuple[str, Arm] | None:
    try:
        return read(ask(address))
    except (OSError, httpx.HTTPError, InvalidInput):
        return None


def read(body: bytes) -> tuple[str, Arm]:
    """Return a predictor's process, named, and what it answered; raise InvalidInput.

    >>> read(b'{"pod_uid": "a", "run": "1", "answered": {"requests": 3, "failed": 1}}')[0]
    'a/1'
    """
    where, allowed = "a predictor's status", "its counters since its start"
    try:
        content = json.loads(body)
        name, arm = f"{content['pod_uid']}/{content['run']}", Arm(**content["answered"])
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise InvalidInput("answered", where, allowed, str(error)[:200]) from error
    if len(name) > 200 or not _can_be(arm):
        raise InvalidInput("answered", where, allowed, f"{arm}"[:200])
    return name, arm


def _can_be(arm: Arm) -> bool:
    """Whether counters can have these values."""
    sums = (arm.latency, arm.prediction)
    numbers = [value for one in sums for value in (one.n, one.total, one.square)]
    counts = 0 <= arm.failed <= arm.requests and arm.latency.n <= arm.requests
    counts = counts and _can_be_groups(arm.entities)
    return counts and all(map(math.isfinite, numbers)) and all(_is_sum(one) for one in sums)


def _is_sum(one: Any) -> bool:
    """Whether the squares are as large as the mean's at least (Cauchy and Schwarz)."""
    return one.n >= 0 and one.square * one.n >= one.total**2 * (1 - 1e-6) - 1e-6


def _can_be_groups(entities: Entities) -> bool:
    """Whether there are none, or all, of values that can be summed."""
    sizes = {len(entities.n), len(entities.total)}
    is_counted = all(0 <= count < 2**62 for count in entities.n)
    return sizes in ({0}, {GROUPS}) and is_counted and all(map(math.isfinite, entities.total))
