"""Wording: what a window showed, in the words of a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from driftloop_contracts.drift.finding import Test


def shift(feature: Mapping[str, Any]) -> str:
    """Return the evidence of a feature's shift.

    >>> shift({"effect": 0.31, "threshold": 0.05, "p_value": 1e-9})
    'effect 0.310 (threshold 0.050, p = 1.0e-09)'
    """
    effect, threshold = float(feature["effect"]), float(feature["threshold"])
    return f"effect {effect:.3f} (threshold {threshold:.3f}, p = {float(feature['p_value']):.1e})"


def joint(effect: float, threshold: float) -> str:
    """Return the evidence of a change that only shows in features together.

    >>> joint(0.2, 0.05)
    'a classifier tells the window from the reference, Gini 0.200 (threshold 0.050)'
    """
    gini = f"Gini {effect:.3f} (threshold {threshold:.3f})"
    return f"a classifier tells the window from the reference, {gini}"


def concept(
    part: str, tests: Sequence[Test], rate: float, expected: float, threshold: float, moved: bool
) -> str:
    """Return the evidence that outcomes do not follow the predictions any more.

    ``part``: the slice ('': of all); ``moved``: the inputs shifted in the same time.

    >>> shift = Test("rate", 9.0, 1e-9, 0.31, True)
    >>> concept("category = ski", [shift], 0.12, 0.2, 0.05, False).partition(", rate")[0]
    'concept drift in category = ski: outcomes 12 % where 20 % are predicted, inputs unchanged'
    """
    evidence = ", ".join(
        f"{t.name} by effect {t.effect:.3f} (threshold {threshold:.3f}, p = {t.p_value:.1e})"
        for t in tests
    )
    where = f" in {part}" if part else ""
    inputs = "the inputs moved as well" if moved else "inputs unchanged"
    return f"concept drift{where}: {_rates(rate, expected)}, {inputs}, {evidence}"


def held(rate: float, expected: float, effect: float, threshold: float, sure: bool) -> str:
    """Return that the inputs moved and outcomes did not leave the predictions by what counts.

    ``sure``: they are off for certain, though by less than the smallest effect that counts.

    >>> held(0.121, 0.12, 0.003, 0.05, False).partition(" (")[0]
    'data drift: the inputs moved; predictions still hold, outcomes 12.1 % where 12 % are predicted'
    >>> held(0.13, 0.12, 0.03, 0.05, True).partition("; ")[2].partition(" (")[0]
    'predictions are off by less than counts, outcomes 13 % where 12 % are predicted'
    """
    how = "predictions are off by less than counts" if sure else "predictions still hold"
    size = f"(effect {effect:.3f}, threshold {threshold:.3f})"
    return f"data drift: the inputs moved; {how}, {_rates(rate, expected)} {size}"


def _rates(rate: float, expected: float) -> str:
    return f"outcomes {100 * rate:.3g} % where {100 * expected:.3g} % are predicted"


def fault(feature: Mapping[str, Any]) -> str:
    """Return how a feature is broken.

    >>> fault({"fault": "missing", "missing": 3, "total": 4})
    '75% of its values are missing'
    """
    if feature["fault"] == "missing":
        return f"{feature['missing'] / max(1, feature['total']):.0%} of its values are missing"
    says = {
        "out_of_range": "its values lie outside the range of its contract",
        "stands_still": "it stands still at one value",
    }
    return says.get(str(feature["fault"]), str(feature["fault"]))
