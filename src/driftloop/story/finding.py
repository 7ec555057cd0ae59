"""Finding: what a stage says in its turn, before it is told when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from driftloop.stages.returned import Returned


class Finding(NamedTuple):
    """A chapter without its stage and time; what it holds is said there (chapter.py)."""

    title: str
    sentences: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    returned: Returned | None = None
    review: str = ""
    others: tuple[Returned, ...] = ()
    decision: Mapping[str, Any] = {}
    is_last: bool = False


class Settled(NamedTuple):
    """A finding of a stage that may look again, and whether it settles what was asked."""

    finding: Finding
    decides: bool
