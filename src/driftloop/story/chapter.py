"""Chapter: what one stage did and said, once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftloop.stages.returned import Returned
from driftloop.stages.stage import Stage
from driftloop_contracts import times


@dataclass(frozen=True)
class Chapter:
    """One stage's turn.

    ``time``: the story's own, when the stage was through; ``figures``: name and value as read;
    ``returned``: how it sends the loop back, if it does; ``review``: what a business review
    decided (continue, pivot, end), where the stage is one.
    """

    stage: Stage
    time: datetime
    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    returned: Returned | None = None
    review: str = ""

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
