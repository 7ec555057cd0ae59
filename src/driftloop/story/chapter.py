"""Chapter: what one stage did and said, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from driftloop.stages.returned import Returned
from driftloop.stages.stage import Stage
from driftloop_contracts import times


@dataclass(frozen=True)
class Chapter:
    """One stage's turn.

    ``time``: the story's own, when the stage was through; ``figures``: name and value as read;
    ``returned``: how it sends the loop back, if it does, and ``others`` what it found besides;
    ``review``: what a business review decided (continue, pivot, end), where the stage is one, and
    ``decision`` that with its numbers; ``is_last``: there is nothing left to do.
    """

    stage: Stage
    time: datetime
    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    returned: Returned | None = None
    review: str = ""
    others: tuple[Returned, ...] = ()
    decision: Mapping[str, Any] = field(default_factory=dict)
    is_last: bool = False

    @property
    def found(self) -> tuple[Returned, ...]:
        """Return all that sends the loop back, the first finding first."""
        return (*([self.returned] if self.returned else []), *self.others)

    def to_data(self) -> dict[str, Any]:
        """Return the chapter as story.json has it."""
        return {
            "stage": self.stage.value,
            "time": times.to_text(self.time),
            "title": self.title,
            "sentences": list(self.sentences),
            "figures": dict(self.figures),
            "returned": self.returned.to_data() if self.returned else None,
            "review": self.review,
        }
