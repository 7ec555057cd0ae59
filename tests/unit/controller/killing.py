"""A controller's kill at any point: before and after each effect and each write of its ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from driftloop.adapters.sqlite_ledger import SqliteLedger


class Killed(BaseException):
    """Stands for kill -9: no handler of the controller's may catch it."""


class Points:
    """A countdown to the kill; ``killed_at``: how many points pass before it (-1: none kills)."""

    def __init__(self, killed_at: int = -1) -> None:
        self.left, self.points = killed_at, 0

    def point(self) -> None:
        self.points += 1
        if self.left == 0:
            self.left = -1
            raise Killed
        self.left -= self.left > 0

    def step(self, effect: Callable[[], Any]) -> Any:
        """Pass two points: before the effect and after it."""
        self.point()
        found = effect()
        self.point()
        return found


class Watched(SqliteLedger):
    """The ledger of a machine: its writes are points as well."""

    def __init__(self, path: Path, machine: Points) -> None:
        super().__init__(path)
        self._machine = machine

    def record(self, *arguments: Any) -> None:
        self._machine.step(lambda: super(Watched, self).record(*arguments))

    def done(self, *arguments: Any) -> None:
        self._machine.step(lambda: super(Watched, self).done(*arguments))
