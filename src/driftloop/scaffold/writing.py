"""Writing: the template's files under another name, all of them or none."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from driftloop.loop import NAME
from driftloop_contracts.errors import InvalidInput

FILES = ("loop.yaml", "data.py", "labels.py", "features.py", "model.py", "README.md")


def write(name: str, root: Path) -> Path:
    """Write the use case ``name`` below ``root`` and return its folder.

    Raise InvalidInput for a name that no loop may have, and for one that is taken.
    """
    loop = name.replace("_", "-")
    if not re.fullmatch(NAME, loop):
        allowed = "1 to 40 of a-z, 0-9 and '-', a letter first and no '-' at the end"
        raise InvalidInput("the use case's name", "the arguments", allowed, name)
    folder = root / loop.replace("-", "_")
    if folder.exists():
        raise InvalidInput("the use case's name", str(root), "a name that is not taken", name)
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".new-") as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        for file, content in _contents(loop, folder.name):
            (draft / file).write_text(content, encoding="utf-8")
        shutil.move(draft, folder)
    return folder


def _contents(loop: str, usecase: str) -> Iterator[tuple[str, str]]:
    template = resources.files("driftloop.scaffold") / "template"
    for file in FILES:
        content = (template / file).read_text(encoding="utf-8")
        yield file, content.replace("USECASE", usecase).replace("NAME", loop)
