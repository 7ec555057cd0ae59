"""Story plot: the turns of a story, one after another, each at the height of its stage."""

from __future__ import annotations

from collections.abc import Sequence

from driftloop.report import svg, wording
from driftloop.report.frame import Frame
from driftloop.stages.stage import Stage
from driftloop.story.chapter import Chapter

ROW, TOP = 34.0, 18.0


def draw(chapters: Sequence[Chapter], frame: Frame) -> str:
    """Return the plot, or '' where nothing was told."""
    if not chapters:
        return ""
    left, bottom = frame.left, TOP + ROW * len(Stage)
    step = (frame.edge - left - 16) / max(1, len(chapters) - 1)
    places = [(left + 8 + step * n, _height(chapter.stage)) for n, chapter in enumerate(chapters)]
    parts = [part for stage in Stage for part in _row(stage, frame)]
    for chapter, here, there in zip(chapters, places, places[1:], strict=False):
        parts.append(svg.line([here, there], "way back" if chapter.returned else "way"))
    for chapter, (x, y) in zip(chapters, places, strict=True):
        style = "turn back" if chapter.returned else "turn"
        parts.append(svg.dot(x, y, 5, style, _title(chapter)))
    return svg.figure(parts, frame.width, bottom, "The turns of the story by stage")


def _height(stage: Stage) -> float:
    return TOP + ROW * (stage.number - 0.5)


def _row(stage: Stage, frame: Frame) -> list[str]:
    y = _height(stage)
    line = svg.segment(frame.left, y, frame.edge, y, "grid")
    if frame.slim:
        return [line, svg.text(frame.left, y - 9, stage.title)]
    return [line, svg.text(frame.left - 10, y + 4, stage.title, "name", "end")]


def _title(chapter: Chapter) -> str:
    back = f" Back by {chapter.returned.rule.replace('_', ' ')}." if chapter.returned else ""
    return f"{wording.day(chapter.time)}, {chapter.stage.title}: {chapter.title}.{back}"
