"""Counts: what became of other people's events, by reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

UNANSWERED = ("expired", "evicted", "mismatched", "watermark", "ended")
"""Why a request was taken without its prediction."""
DROPPED = ("no_request", "evicted", "busy", "refused")
"""Why records were let go: a response alone, one pushed out, no room, no fit."""
REJECTED = ("content", "foreign", "too_large", "busy", "store")
"""Why an HTTP request was refused."""


def _zeros(reasons: tuple[str, ...]) -> Counter[str]:
    return Counter(dict.fromkeys(reasons, 0))


@dataclass
class Counts:
    """Since the start; ``dropped`` counts records, everything else events."""

    requests: int = 0
    responses: int = 0
    paired: int = 0
    duplicate_events: int = 0
    unanswered: Counter[str] = field(default_factory=lambda: _zeros(UNANSWERED))
    dropped: Counter[str] = field(default_factory=lambda: _zeros(DROPPED))
    refused: Counter[str] = field(default_factory=lambda: _zeros(REJECTED))

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as /status shows them."""
        return {
            "requests": self.requests,
            "responses": self.responses,
            "paired": self.paired,
            "duplicate_events": self.duplicate_events,
            "unanswered": dict(self.unanswered),
            "dropped": dict(self.dropped),
            "refused": dict(self.refused),
        }
