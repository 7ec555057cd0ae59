"""Events: what a story's chapters tell the world, as CloudEvents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from driftloop.story.chapter import Chapter
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent


def of(loop: str, chapters: Sequence[Chapter]) -> Iterator[CloudEvent]:
    """Yield an event for each return and each review, named by its chapter's place."""
    for number, chapter in enumerate(chapters, 1):
        if chapter.review:
            told = {"decision": chapter.review, "evidence": list(chapter.sentences)}
            data = {"loop": loop, **told, **chapter.decision}
            yield _event(loop, number, chapter, event_types.REVIEWED, data)
        if chapter.returned:
            data = dict(chapter.returned.to_data())
            yield _event(loop, number, chapter, event_types.STAGE_RETURNED, data)


def _event(
    loop: str, number: int, chapter: Chapter, kind: str, data: Mapping[str, object]
) -> CloudEvent:
    identity = f"{loop}/story/{number}/{kind}"
    return CloudEvent(identity, f"/driftloop/{loop}/story", kind, chapter.time, data)
