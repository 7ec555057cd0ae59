"""RunFolder: where a run writes; one run at a time, and never over someone else's files."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

from driftloop_contracts.errors import InvalidInput

MARKER = ".driftloop-run"
"""The file that says a folder is ours to replace; it is also the lock."""


class RunFolder:
    """The output folder of one run, held by a lock until the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._claim()
        self._clear()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def _claim(self) -> None:
        where = f"the output folder {self.path}"
        if self.path.exists() and not self.path.is_dir():
            raise InvalidInput("--out", str(self.path), "a folder", "a file")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            foreign = not (self.path / MARKER).exists() and any(self.path.iterdir())
            if foreign:
                allowed = "an empty folder or one of an earlier run"
                raise InvalidInput("--out", str(self.path), allowed, "a folder with other files")
            self._lock = (self.path / MARKER).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput("--out", str(self.path), "free", "in use by another run") from None
        except OSError as error:
            raise InvalidInput("--out", where, "writable", error.strerror) from error

    def _clear(self) -> None:
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARKER:
                entry.unlink()
