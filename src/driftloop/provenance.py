"""Provenance: the commit of the code and the image that a bundle was made by."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

COMMIT = "DRIFTLOOP_COMMIT"
"""Variable that a process finds the commit in: images are built with it."""
SECONDS = 10.0
"""Longest wait for Git."""


def of(environ: Mapping[str, str], image: str) -> dict[str, str]:
    """Return what made a bundle; '' for what is not known.

    ``image``: as a cluster's order names it; one that is named by its digest is named for good.
    """
    return {"commit": environ.get(COMMIT, ""), "image": image}


def commit(folder: Path) -> str:
    """Return the commit that is checked out at ``folder``, with '+' where files differ from it.

    '' where there is no Git, or none of its repositories.
    """
    try:
        found = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return ""
    return found + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    return told.stdout.strip()
