"""Options: how other people's events are read, from the environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from driftloop_contracts.errors import InvalidInput

WHERE = "the environment"
PROTOCOLS = ("tensorflow.http", "seldon.http", "seldonfeedback.http", "kfserving.http")
"""Forms of a request's body, as alibi-detect-server names them; ``seldon`` reads each."""
MAX_SECONDS = 3600.0
"""Longest time that one half of a pair may wait for the other."""


@dataclass(frozen=True)
class Options:
    """What is not in the events themselves.

    ``entity_keys``: names that instances may have beside the features; ``prediction``: which
    number of a response is kept where there are several; ``inference_service``: the only one
    taken (empty: any); ``protocol``: of requests that are no events of ours (empty: refused);
    ``pair_seconds``: how long a request waits for its response.
    """

    entity_keys: tuple[str, ...] = ()
    prediction: str = ""
    inference_service: str = ""
    protocol: str = ""
    pair_seconds: float = 60.0


def from_env(environ: Mapping[str, str]) -> Options:
    """Return the options in ``environ``; raise InvalidInput for the first that is wrong.

    >>> from_env({"DRIFTLOOP_ENTITY_KEYS": "ad_id, user"}).entity_keys
    ('ad_id', 'user')
    """
    names = environ.get("DRIFTLOOP_ENTITY_KEYS", "").split(",")
    return Options(
        entity_keys=tuple(dict.fromkeys(name.strip() for name in names if name.strip())),
        prediction=environ.get("DRIFTLOOP_PREDICTION", ""),
        inference_service=environ.get("DRIFTLOOP_INFERENCE_SERVICE", ""),
        protocol=_protocol(environ.get("DRIFTLOOP_PROTOCOL", "")),
        pair_seconds=_seconds(environ.get("DRIFTLOOP_PAIR_SECONDS") or "60"),
    )


def _protocol(text: str) -> str:
    if text and text not in PROTOCOLS:
        allowed = f"one of {', '.join(PROTOCOLS)}, or empty"
        raise InvalidInput("DRIFTLOOP_PROTOCOL", WHERE, allowed, text)
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_SECONDS:
        allowed = f"a number of seconds above 0 and up to {MAX_SECONDS:g}"
        raise InvalidInput("DRIFTLOOP_PAIR_SECONDS", WHERE, allowed, text)
    return seconds
