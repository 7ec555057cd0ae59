"""Servers that refuse or do not answer: one error for a caller who can only try again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from urllib3.exceptions import HTTPError

from driftloop_contracts.errors import DriftloopError

SHOWN = 300
"""Longest part of a server's own words that a message repeats, in characters."""


class Unavailable(DriftloopError):
    """A server refused the call or did not answer; it may at another time."""


@contextmanager
def answering(server: str, refusal: type[Exception]) -> Iterator[None]:
    """Turn a ``refusal`` of the server's client, or silence, into Unavailable."""
    try:
        yield
    except (HTTPError, OSError, refusal) as error:
        said = getattr(error, "body", None) or error
        raise Unavailable(f"{server} refused or did not answer: {str(said)[:SHOWN]}") from error
