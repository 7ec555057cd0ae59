"""Budget: whether a model costs no more than the loop allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftloop.evaluation.ruling import PROMOTE, REJECT, Ruling
from driftloop.spec.gate import Budgets

WORDS = {
    "latency_ms": ("A one-row prediction takes {:.3g} ms", "{:g} ms", 1.0),
    "size": ("Its bundle has {:.3g} MB", "{:.3g} MB", 1e6),
    "memory": ("Loading it and predicting take {:.3g} MB", "{:.3g} MB", 1e6),
}
"""What is said of each cost, of its limit, and the unit of both."""


def judge(cost: Mapping[str, Any], budgets: Budgets) -> Ruling:
    """Return whether each cost that has a budget keeps it; ``cost``: as bundle/cost.py tells it.

    >>> judge({"latency_ms": 12.0, "size": 1, "memory": 1}, Budgets(latency_ms=5)).reasons
    ('A one-row prediction takes 12 ms; the budget is 5 ms.',)
    """
    reasons = tuple(
        f"{said.format(cost[name] / unit)}; the budget is {limit.format(allowed / unit)}."
        for name, (said, limit, unit) in WORDS.items()
        if (allowed := getattr(budgets, name)) is not None and cost[name] > allowed
    )
    return Ruling(REJECT if reasons else PROMOTE, reasons)
