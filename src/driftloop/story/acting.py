"""Acting: the stages in order, and back where one sends the loop back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from driftloop.stages.returned import Returned
from driftloop.stages.stage import Stage
from driftloop.story.chapter import Chapter
from driftloop.story.play import Play
from driftloop_contracts.errors import RunFailed

LONGEST = 60
"""Most turns of a story; one that goes on is going round in circles."""
FIRST = next(iter(Stage))


@dataclass(frozen=True)
class Act:
    """A story that came to its end.

    ``overlooked``: returns of rules that it was blind to, in order; ``outcome``: how its world
    fares at the end.
    """

    chapters: tuple[Chapter, ...]
    overlooked: tuple[Returned, ...]
    outcome: Mapping[str, float]

    @property
    def returns(self) -> tuple[Returned, ...]:
        """Return how stages sent the loop back, in order."""
        return tuple(chapter.returned for chapter in self.chapters if chapter.returned)


def act(
    play: Play, blind: Collection[str] = (), told: Callable[[Chapter], object] = lambda _: None
) -> Act:
    """Act ``play`` out to its end; ``blind``: names of rules whose findings are overlooked.

    ``told`` is called with each chapter when it is through. Raise RunFailed for a story without
    an end.
    """
    chapters: list[Chapter] = []
    overlooked: list[Returned] = []
    stage: Stage | None = FIRST
    while stage is not None:
        if len(chapters) == LONGEST:
            last = chapters[-1].returned
            why = f" The last return: {last.reason}" if last else ""
            raise RunFailed(f"The story does not end within {LONGEST} turns.{why}")
        turned = play.turn(stage)
        seen = [one for one in turned.found if one.rule not in blind]
        overlooked += [one for one in turned.found if one.rule in blind]
        chapter = replace(turned, returned=seen[0] if seen else None, others=tuple(seen[1:]))
        chapters.append(chapter)
        told(chapter)
        stage = _next(play, chapter)
    return Act(tuple(chapters), tuple(overlooked), play.outcome())


def _next(play: Play, chapter: Chapter) -> Stage | None:
    """Return the stage that follows, None at the end."""
    sent = chapter.returned
    if chapter.is_last or (sent and not play.mend(sent)):
        return None
    if sent:
        return sent.target
    stages = [*Stage]
    return stages[chapter.stage.number] if chapter.stage.number < len(stages) else None
