"""Ablation: the same story with one rule overlooked, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from driftloop.stages.rules import RULES
from driftloop.stages.stage import Stage
from driftloop.story.acting import Act, act
from driftloop.story.play import Play


@dataclass(frozen=True)
class Ablation:
    """What became of the story that was blind to ``rule``."""

    rule: str
    act: Act

    @property
    def stage(self) -> Stage:
        """Return the stage that would have found it."""
        return RULES[self.rule].source

    def lost(self, whole: Act, figure: str) -> float:
        """Return which share of the whole story's figure is lost.

        >>> import dataclasses
        >>> good = Act((), (), {"revenue": 4.0})
        >>> Ablation("pivot", dataclasses.replace(good, outcome={"revenue": 3.0})).lost(
        ...     good, "revenue")
        0.25
        """
        own = whole.outcome[figure]
        return (own - self.act.outcome[figure]) / abs(own) if own else 0.0


def each(whole: Act, play: Callable[[], Play]) -> Iterator[Ablation]:
    """Yield the story blind to each rule that ``whole`` was sent back by, once and in order."""
    for rule in dict.fromkeys(sent.rule for sent in whole.returns):
        yield Ablation(rule, act(play(), blind={rule}))
