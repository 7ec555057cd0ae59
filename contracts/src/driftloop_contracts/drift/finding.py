"""Finding: what one feature of one window shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from driftloop_contracts.inference import CHOSEN

JOINT_NAME = "(together)"
"""What stands for all features where they changed together and none alone."""
OUTCOMES_NAME = "(outcomes)"
"""What stands for outcomes that no longer follow the predictions."""
PREDICTION_NAME = "(prediction)"
"""What stands for the served predictions beside the features."""
ANSWERS = frozenset({PREDICTION_NAME, CHOSEN})
"""What a model says, of numbers and of classes: no input, and where an input is broken it moves."""


@dataclass(frozen=True)
class Test:
    """One test of one feature: ``name`` is values, missing or unseen."""

    name: str
    statistic: float
    p_value: float
    effect: float
    shift: bool


@dataclass(frozen=True)
class Finding:
    """What one feature of one window shows.

    ``statistic``, ``p_value``, ``effect``: of the test with the smallest p-value among those
    that say shift, else of the values; ``n``, ``missing``, ``out_of_range``: weight with a
    value, without one, outside the range; ``fault``: '', 'missing', 'out_of_range' or
    'stands_still'; ``suspect``: on the list of features to look at.
    """

    name: str
    kind: str
    total: float
    n: float
    missing: float
    out_of_range: float
    statistic: float
    p_value: float
    effect: float
    threshold: float
    level: float
    shift: bool
    fault: str
    tests: tuple[Test, ...]
    suspect: bool = False

    def to_data(self) -> dict[str, Any]:
        """Return the finding as an event's JSON data."""
        return asdict(self)

    @property
    def strength(self) -> float:
        """Return how many times the smallest effect that counts it shows."""
        return self.effect / max(self.threshold, 1e-9)

    @property
    def share(self) -> float:
        """Return the share of the window that the fault is about, in [0, 1]."""
        amount = {"missing": self.missing, "out_of_range": self.out_of_range}
        return amount.get(self.fault, self.n if self.fault else 0.0) / max(1e-12, self.total)
