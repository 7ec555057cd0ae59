"""Finding: what one promise of a source comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """``rule`` of a contract, measured on ``source``; ``broken``: it does not hold.

    ``measured`` and ``allowed`` are in the rule's own unit: shares, seconds, or times the usual
    rows; ``column``: '' where it is about all of them.
    """

    source: str
    rule: str
    sentence: str
    measured: float
    allowed: float
    broken: bool
    column: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data; what is no number is null."""
        numbers = {"measured": self.measured, "allowed": self.allowed}
        return {**vars(self), **{n: v if math.isfinite(v) else None for n, v in numbers.items()}}
