"""A pair of keys for a person: written once, the private one for nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from driftloop import keys_command
from driftloop_contracts import signature
from driftloop_contracts.errors import InvalidInput


def test_what_one_key_signs_the_other_verifies(tmp_path: Path) -> None:
    keys_command.keys(tmp_path / "keys")
    private, public = (tmp_path / "keys" / n for n in (keys_command.PRIVATE, keys_command.PUBLIC))
    signed = signature.sign(b"manifest", private.read_text())
    trusted = signature.trusted({signature.TRUSTED_KEYS: public.read_text()})
    trusted.check(b"manifest", signed, "0001-a")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_keys_that_are_there_stay(tmp_path: Path) -> None:
    keys_command.keys(tmp_path)
    before = (tmp_path / keys_command.PRIVATE).read_text()
    with pytest.raises(InvalidInput, match="without keys"):
        keys_command.keys(tmp_path)
    assert (tmp_path / keys_command.PRIVATE).read_text() == before
