"""Found: the feature values of some requests, each view's with the time it is of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from driftloop.features.status import Status

Values = dict[str, list[Any]]


@dataclass(frozen=True)
class Found:
    """One entry a row of the request in every list.

    ``values``: of each feature, None where its view has none that may be used (or a null);
    ``times``: of each view, the event time in microseconds since 1970 of what was used, or None;
    ``statuses``: of each view.
    """

    values: Values
    times: dict[str, list[int | None]]
    statuses: dict[str, list[Status]]

    def counts(self) -> Counter[tuple[str, Status]]:
        """Return how many lookups of each view had each status."""
        return Counter((view, one) for view, all_ in self.statuses.items() for one in all_)
