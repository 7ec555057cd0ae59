"""Numba, left out: what Alibi Detect 0.11.4 compiles for its online detectors raises when called.

No part of Numba. Source of the names: alibi_detect/cd/cvm_online.py and fet_online.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

MESSAGE = (
    "{name} needs numba, which this environment leaves out: install the stock dependencies, "
    "as sidecar/README.md says, for Alibi Detect's online detectors"
)


def njit(**options: object) -> Callable[[Callable[..., Any]], Callable[..., NoReturn]]:
    """Return a decorator whose functions raise ImportError instead of being compiled."""

    def left_out(function: Callable[..., Any]) -> Callable[..., NoReturn]:
        def needs_numba(*values: object, **named: object) -> NoReturn:
            raise ImportError(MESSAGE.format(name=function.__name__), name="numba")

        return needs_numba

    return left_out
