"""The command ``driftloop keys``: a pair of keys that signs bundles and verifies them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from driftloop_contracts import signature
from driftloop_contracts.errors import InvalidInput

PRIVATE, PUBLIC = "signing-key.pem", "trusted-keys.pem"


def keys(
    out: Annotated[Path, typer.Option(help="A folder for both; nothing there is replaced.")],
) -> None:
    """Make a pair of Ed25519 keys: one to sign bundles with, one for whoever loads them."""
    private, public = signature.pair()
    out.mkdir(parents=True, exist_ok=True)
    _write(out / PRIVATE, private, 0o600)
    _write(out / PUBLIC, public, 0o644)
    sys.stdout.write(f"{out / PRIVATE} signs; {out / PUBLIC} verifies.\n")


def _write(path: Path, content: str, mode: int) -> None:
    try:
        # Never readable by others, not even for a moment.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise InvalidInput("--out", "the command", "a folder without keys", str(path)) from None
    with os.fdopen(file, "w") as opened:
        opened.write(content)
