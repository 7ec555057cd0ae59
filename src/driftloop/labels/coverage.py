"""Coverage: how many records have a label, and what became of the reports that gave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

COUNTS = ("records", "immature", "labelled", "assumed_negative", "unknown", "late", "corrected",
          "duplicates", "conflicts", "orphans")  # fmt: skip
"""What is counted of a join, and adds up."""


@dataclass(frozen=True)
class Coverage:
    """Counts of one join at one cut-off.

    Of ``records`` (asked by the cut-off): ``records`` = immature + labelled + assumed_negative +
    unknown. Of the labelled: ``late``, whose value came to be what it is after maturity, and
    ``corrected``, whose value was another before. Of the source's reports, those not yet mature
    included: ``duplicates`` (exact copies), ``conflicts`` (lost to one of equal revision and
    known_time), ``orphans`` (of no record) and ``rejected`` by reason, each counted once however
    often it came. ``maturity_seconds``: the one used; ``maturity_reason``: why that one.
    """

    records: int
    immature: int
    labelled: int
    assumed_negative: int
    unknown: int
    late: int
    corrected: int
    duplicates: int
    conflicts: int
    orphans: int
    rejected: Mapping[str, int]
    maturity_seconds: int
    maturity_estimated: bool
    maturity_reason: str

    def __add__(self, other: Coverage) -> Coverage:
        """Return the counts of two joins of different records; the maturity is the first one's."""
        ours, theirs = asdict(self), asdict(other)
        sums = {name: ours[name] + theirs[name] for name in COUNTS}
        rejected = Counter(self.rejected) + Counter(other.rejected)
        return replace(self, **sums, rejected=dict(sorted(rejected.items())))

    @property
    def share(self) -> float | None:
        """Return the share of mature records with an outcome; None where none is mature."""
        mature = self.records - self.immature
        return self.labelled / mature if mature else None

    def to_data(self) -> dict[str, Any]:
        """Return the counts and the share as an event carries them."""
        return asdict(self) | {"rejected": dict(self.rejected), "share": self.share}
