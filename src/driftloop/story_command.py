"""The command ``driftloop story``: a use case's way through the six stages, acted out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.padding import Padding

from driftloop import usecase
from driftloop.laptop.run_folder import RunFolder
from driftloop.story import ablation, events
from driftloop.story.ablation import Ablation
from driftloop.story.acting import Act, act
from driftloop.story.chapter import Chapter
from driftloop.story.play import Play
from driftloop.usecase import UseCase, load_module
from driftloop_contracts.errors import InvalidInput

FOLDER = "{name}-story"
"""Under ``runs/``: beside the use case's last run, which it does not replace."""


def story(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="One with a story.py.")],
    seed: Annotated[int, typer.Option(min=0, help="Draws the world.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", help="The story's folder.")] = None,
    compare: Annotated[
        bool, typer.Option(help="Act it out again, overlooking one finding after the other.")
    ] = True,
) -> None:
    """Act out how the stages of a use case find what is wrong, and write it as a page."""
    from driftloop.report import story_page

    case, began = usecase.find(name), time.monotonic()
    play = _play(case)
    folder = RunFolder(out or Path("runs") / FOLDER.format(name=case.name))
    console, first = Console(), play(seed)
    console.print(f"[bold]{first.title}[/] (seed {seed})\n{first.lead}\n")
    whole = act(first, told=lambda chapter: _tell(console, chapter))
    _write(folder / "events.jsonl", _lines(first.loop, whole))
    without = list(_without(console, whole, lambda: play(seed))) if compare else []
    told = story_page.Told(first.title, first.lead, seed, time.monotonic() - began)
    _write(folder / "story.json", json.dumps(_data(told, whole, without), indent=1))
    page = folder / "story.html"
    _write(page, story_page.render(told, whole, without))
    sys.stdout.write(f"{page}\n")


def _play(case: UseCase) -> Callable[[int], Play]:
    """Return what makes the use case's story of a seed; raise InvalidInput where it has none."""
    found: Callable[[int], Play] | None = getattr(
        load_module(case.folder, case.name, "story"), "play", None
    )
    if found is None:
        raise InvalidInput("play(seed)", str(case.folder / "story.py"), "present", "nothing")
    return found


def _tell(console: Console, chapter: Chapter) -> None:
    """Narrate a chapter."""
    stage = f"{chapter.stage.number} {chapter.stage.title}"
    console.print(f"[bold cyan]{stage}[/], {chapter.time:%Y-%m-%d}: [bold]{chapter.title}[/]")
    told = [*chapter.sentences, *(f"{name}: {value}" for name, value in chapter.figures)]
    for sentence in told:
        _indented(console, sentence)
    if chapter.returned:
        back = f"back to {chapter.returned.target.title.lower()} ({chapter.returned.rule})"
        _indented(console, f"-> {back}", "bold yellow")
    console.print()


def _indented(console: Console, text: str, style: str = "") -> None:
    # Texts are data: markup in them is not ours.
    from rich.text import Text

    console.print(Padding(Text(text, style), (0, 0, 0, 4)))


def _without(console: Console, whole: Act, play: Callable[[], Play]) -> Any:
    for one in ablation.each(whole, play):
        lost = ", ".join(
            f"{one.lost(whole, figure):.0%} of the {figure}" for figure in whole.outcome
        )
        console.print(f"Without [bold]{one.rule}[/] ({one.stage.title.lower()}) it loses {lost}.")
        yield one


def _lines(loop: str, whole: Act) -> str:
    return "".join(event.to_json().decode() + "\n" for event in events.of(loop, whole.chapters))


def _data(told: Any, whole: Act, without: list[Ablation]) -> dict[str, Any]:
    return {
        "title": told.title,
        "seed": told.seed,
        "wall_seconds": round(told.seconds, 1),
        "chapters": [chapter.to_data() for chapter in whole.chapters],
        "outcome": dict(whole.outcome),
        "without": {
            one.rule: {
                "outcome": dict(one.act.outcome),
                "lost": {figure: one.lost(whole, figure) for figure in whole.outcome},
            }
            for one in without
        },
    }


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
