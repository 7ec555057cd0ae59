"""Manners: how the process treats the predictor on the same cores and in the same memory."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys

NICE = 10
"""Scheduling priority below the predictor's; its own requests still come first of what is left."""
ARENAS = 2
"""Heaps that the C library keeps; one a thread, its default, never shrink again."""
MAPPED = 512 << 10
"""Bytes from which on a block goes back to the system when it is freed; by itself the C library
would raise the bound to the largest block it has seen, and keep the holes between."""
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
"""Source: glibc, malloc.h."""


SWITCH = 0.001
"""Seconds for which a thread that computes may keep one that answers from running; usually 5 ms."""


def keep() -> None:
    """Yield the processor and give memory back; called before Arrow is imported."""
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Another C library has no such option, and a container may forbid the other.
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        library.mallopt(M_ARENA_MAX, ARENAS)
        library.mallopt(M_MMAP_THRESHOLD, MAPPED)
    with contextlib.suppress(OSError):
        os.nice(NICE)


def settle() -> None:
    """Keep what was loaded out of later garbage collections, 0.1 s each; let threads alternate."""
    sys.setswitchinterval(SWITCH)
    gc.collect()
    gc.freeze()
