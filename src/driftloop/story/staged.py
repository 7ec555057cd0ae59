"""Staged: a play with a calendar and luck of its own, whose stages are functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import numpy as np

from driftloop.stages.returned import Returned
from driftloop.stages.stage import Stage
from driftloop.story.chapter import Chapter
from driftloop.story.finding import Finding


class Staged(ABC):
    """What plays have in common; ``seed`` draws a world, its people and its luck.

    ``took``: days that the remedy for each rule takes; of other rules none is known. ``today``: the
    story's day, counted from ``first_day``.
    """

    loop: str
    title: str
    lead: str
    first_day: datetime
    took: Mapping[str, int]

    def __init__(self, seed: int, begins: int) -> None:
        self.seed, self.draws, self.today = seed, 0, begins

    @property
    def now(self) -> datetime:
        """Return the midnight that the story has come to."""
        return self.first_day + timedelta(days=self.today)

    def rng(self) -> np.random.Generator:
        """Return the next generator; the same turns draw the same numbers."""
        self.draws += 1
        return np.random.default_rng([self.seed, 1, self.draws])

    def turn(self, stage: Stage) -> Chapter:
        """Let ``stage`` do its work; it is through when it has."""
        found = self.stages()[stage]()
        return Chapter(stage, self.now, *found)

    def mend(self, returned: Returned) -> bool:
        """Do differently what ``returned`` asks for, where it is known how."""
        if returned.rule not in self.took:
            return False
        self.today += self.took[returned.rule]
        self.remedy(returned.rule)
        return True

    @abstractmethod
    def stages(self) -> Mapping[Stage, Callable[[], Finding]]:
        """Return what each stage does."""

    @abstractmethod
    def remedy(self, rule: str) -> None:
        """Have the world ready for what is done differently because of ``rule``."""

    @abstractmethod
    def outcome(self) -> Mapping[str, float]:
        """Return how the world fares at the end, each figure the better the higher."""
