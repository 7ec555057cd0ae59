"""Memory: what a training may hold at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from driftloop.quantities import Size, show_size

LEAST = 768 << 20
"""Below it the libraries of a step and one batch of rows have no room."""


def _holds_a_batch(size: int) -> int:
    if size < LEAST:
        raise ValueError(f"at least {show_size(LEAST)}, which a step's libraries need")
    return size


Memory = Annotated[Size, AfterValidator(_holds_a_batch)]
