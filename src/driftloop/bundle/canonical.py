"""Canonical: a skops file whose bytes follow from the model alone.

skops names objects and arrays by their addresses in memory and stamps files with the time, so two
dumps of one model differ. Here objects are numbered in the order in which they come, arrays are
named after these numbers, and every file is of the same instant.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import PurePosixPath
from typing import Any

SCHEMA = "schema.json"
INSTANT = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip file can tell."""


def canonical(content: bytes) -> bytes:
    """Return the same model in a skops file that every dump of it has in common."""
    with zipfile.ZipFile(io.BytesIO(content)) as given:
        names = _Names()
        schema = names.renamed(json.loads(given.read(SCHEMA)))
        files = {new: given.read(old) for old, new in names.files.items()}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in {SCHEMA: json.dumps(schema).encode(), **files}.items():
            made.writestr(zipfile.ZipInfo(name, INSTANT), data, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


class _Names:
    """Numbers instead of addresses, and files named after them, in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.files: dict[str, str] = {}

    def renamed(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.renamed(one) for one in node]
        if not isinstance(node, dict):
            return node
        return {key: self._value(key, value) for key, value in node.items()}

    def _value(self, key: str, value: Any) -> Any:
        if key == "__id__" and isinstance(value, int):
            return self.numbers.setdefault(value, len(self.numbers) + 1)
        if key == "file" and isinstance(value, str):
            suffix = PurePosixPath(value).suffix
            return self.files.setdefault(value, f"{len(self.files) + 1:06d}{suffix}")
        return self.renamed(value)
