"""YAML documents as people review them: keys in their order, one way to write each value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml


def dump(objects: Sequence[dict[str, Any]]) -> str:
    """Return ``objects`` as YAML documents.

    >>> print(dump([{"kind": "A"}, {"kind": "B"}]), end="")
    kind: A
    ---
    kind: B
    """
    return yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=100, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """A dumper without anchors: a repeated value is written out."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
