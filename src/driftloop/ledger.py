"""Ledger: what happened to a loop; every effect is decided once.

Two keys keep effects single. Delivery: a CloudEvent's (source, id) is taken once. Work: the
state carries a generation, and a decision is recorded only on the generation it was made from
(compare-and-set), whole: with its Retraining and its actions. Actions stay open until they are
done, so a controller that was killed finds what it still owes.

On a laptop the ledger is SQLite, on Kubernetes the LearningLoop's own status.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from driftloop.state import State

Owed = tuple[int, str, dict[str, Any]]
"""An action not yet done: its sequence number, its kind and its JSON content."""


class Conflict(Exception):
    """Another decision was recorded since this one's state was read: read again."""


@dataclass(frozen=True)
class Entry:
    """One decision to record: what triggered it, when (event time), and what follows.

    ``actions``: (kind, JSON content) in order; ``retraining``: the row to open, if any;
    ``delivery``: the (source, id) of the CloudEvent that triggered it, if one did.
    """

    trigger: str
    event_time: datetime
    reasons: tuple[str, ...]
    actions: tuple[tuple[str, dict[str, Any]], ...] = ()
    retraining: dict[str, Any] | None = None
    delivery: tuple[str, str] | None = None


class Ledger(Protocol):
    """What the controller asks of a ledger; several processes may hold one at once."""

    def delivered(self, source: str, event_id: str) -> bool:
        """Return whether the CloudEvent was taken before."""

    def take(self, source: str, event_id: str) -> bool:
        """Take the CloudEvent and return True; False when it was taken before."""

    def acting(self, loop: str) -> AbstractContextManager[bool]:
        """Yield whether the caller may act for ``loop`` now; False where another one does."""

    def state(self, loop: str) -> tuple[State, int]:
        """Return the loop's state and its generation (0 for a loop never seen)."""

    def record(self, loop: str, generation: int, state: State, entry: Entry) -> None:
        """Record a decision made on ``generation``; raise Conflict when that is not the newest."""

    def owed(self, loop: str) -> list[Owed]:
        """Return the actions not yet done, in order."""

    def done(self, loop: str, seq: int) -> None:
        """Mark an action done; a second call changes nothing."""

    def close_retraining(
        self, name: str, verdict: str, version: str, reasons: Sequence[str]
    ) -> None:
        """Write how a Retraining ended; a second call changes nothing."""

    def retrainings(self, loop: str) -> list[dict[str, Any]]:
        """Return the loop's Retrainings in order, with how each ended."""

    def returned(self, loop: str) -> list[dict[str, Any]]:
        """Return how stages sent the loop back, in order; maybe only the latest.

        Each: ``time``, ``from``, ``to``, ``rule``, ``reason``, and ``retraining`` where it is
        about one.
        """

    def decisions(self, loop: str) -> list[dict[str, Any]]:
        """Return the recorded decisions that had a reason, in order; maybe only the latest."""
