"""Actions: what to do next, what gains most first, each with the gain if it works."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from driftloop.development.error_analysis import ErrorAnalysis, Failure
from driftloop.development.kinds import LABEL, MISSING, NOISE, SHIFT, UNDERFIT
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES

DO = {
    LABEL: "Relabel {part}",
    MISSING: "Find a column for {part}",
    SHIFT: "Collect newer rows of {part}, or weigh them more",
    UNDERFIT: "Try a more flexible estimator, or the interaction, on {part}",
    NOISE: "Leave {part} as it is",
}
MOST = 5
"""Actions that are told."""
WORTH = 0.01
"""Relative gain of the whole metric from which on a missing column sends the loop back."""
WRONG_LABELS = 0.05
"""Share of a part's labels that may be wrong before the loop goes back, unless said."""


@dataclass(frozen=True)
class Action:
    """One thing to do; ``gain``: nats a row over all rows, ``relative``: to the model's loss."""

    kind: str
    part: str
    gain: float
    relative: float
    sentence: str

    def to_data(self) -> dict[str, Any]:
        """Return the action, ready for JSON."""
        return {
            "kind": self.kind,
            "part": self.part,
            "gain": float(f"{self.gain:.4g}"),
            "relative": float(f"{self.relative:.4g}"),
            "sentence": self.sentence,
        }


def ranked(found: ErrorAnalysis, metric: str = "log_loss") -> list[Action]:
    """Return what to do about each failure; gains of parts that overlap do not add up.

    ``metric``: its name, as the sentences have it.
    """
    return [
        Action(one.kind, one.part, one.gain, one.relative, _sentence(one, metric))
        for one in found.failures[:MOST]
    ]


def _sentence(one: Failure, metric: str) -> str:
    what = DO[one.kind].format(part=one.part)
    where = f"{one.rows} held-out rows, {one.share:.0%} of all excess loss"
    if one.kind == NOISE:
        return f"{what}: {one.said} ({where}). No gain is in sight."
    gain = f"about {one.gain:.2g} of {metric} a row, {one.relative:.1%} of it"
    return f"{what}: {one.said} ({where}). Gain if repaired: {gain}."


def returned(found: ErrorAnalysis, wrong_labels: float | None = WRONG_LABELS) -> list[Returned]:
    """Return what sends the loop back to data engineering.

    ``wrong_labels``: the share of a part's labels that may be wrong (None: however many).
    """
    most = math.inf if wrong_labels is None else wrong_labels
    labels = [one for one in found.failures if one.kind == LABEL and one.wrong > most]
    missing = [one for one in found.failures if one.kind == MISSING and one.relative >= WORTH]
    back = []
    if labels:
        worst = max(labels, key=lambda one: one.wrong * one.rows)
        reason = (
            f"Of {worst.part} about {worst.wrong:.1%} of the labels seem to be wrong, on "
            f"{worst.rows} held-out rows; {most:.1%} may be."
        )
        back.append(RULES["label_errors"].returned(reason))
    if missing:
        worst = missing[0]
        reason = (
            f"On {worst.part} ({worst.rows} held-out rows) {worst.said}; a column that tells why "
            f"would gain about {worst.relative:.1%} of the loss."
        )
        back.append(RULES["missing_feature"].returned(reason))
    return back
