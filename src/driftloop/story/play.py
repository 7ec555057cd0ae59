"""Play: what a use case's story.py gives to be acted out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from driftloop.stages.returned import Returned
from driftloop.stages.stage import Stage
from driftloop.story.chapter import Chapter


class Play(Protocol):
    """A world in which the stages work.

    No stage knows the story: each looks at the world as it is and says what it finds. What a
    finding leads to is the play's remedy for the rule, applied in the stage that it leads to.
    """

    loop: str
    title: str
    lead: str

    def turn(self, stage: Stage) -> Chapter:
        """Let ``stage`` do its work and return what it says."""

    def mend(self, returned: Returned) -> bool:
        """Have the world ready for what the target of ``returned`` does differently now.

        False where nothing can be done about it: then the story ends as things are.
        """

    def outcome(self) -> Mapping[str, float]:
        """Return how the world fares at the end, each figure the better the higher."""
