"""Waiting for what a cluster brings about in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def eventually(look: Callable[[], Any], what: str, seconds: float = 90) -> Any:
    """Return what ``look`` returns once it is true; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
        except Exception as error:
            found, what = None, f"{what} ({error})"[:300]
        if found:
            return found
        assert time.monotonic() < deadline, f"Waited {seconds:.0f} s for {what}."
        time.sleep(0.3)
