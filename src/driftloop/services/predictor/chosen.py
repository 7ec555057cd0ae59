"""Chosen: what an answer says beside its prediction where the outcome is one of several classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from driftloop.spec.costs import Costs
from driftloop.training.target import Answers

Output = tuple[str, list[int], str, list[Any]]
"""Name, shape, datatype and data of a V2 output."""


@dataclass(frozen=True)
class Chosen:
    """The class of each row, each class's probability, and whether the answer is to be given.

    ``probabilities``: [rows][classes], in the order of objective.classes; ``decided``: False where
    a person costs less (None: the charter names no costs, and every answer is given).
    """

    classes: list[str]
    probabilities: list[list[float]]
    decided: list[bool] | None

    def to_v1(self) -> dict[str, Any]:
        """Return the fields of a V1 answer."""
        told = {"classes": self.classes, "probabilities": self.probabilities}
        return told if self.decided is None else told | {"decided": self.decided}

    def to_v2(self) -> list[Output]:
        """Return the outputs of a V2 answer."""
        rows = len(self.classes)
        flat = [value for row in self.probabilities for value in row]
        shape = [rows, len(self.probabilities[0])]
        told: list[Output] = [
            ("class", [rows], "BYTES", self.classes),
            ("probabilities", shape, "FP64", flat),
        ]
        if self.decided is not None:
            told.append(("decided", [rows], "BOOL", self.decided))
        return told


def of(answers: Answers, costs: Costs | None) -> Chosen | None:
    """Return what ``answers`` among classes say; None where there are no classes."""
    if answers.chosen is None or answers.probabilities is None:
        return None
    decided = costs.decided(answers.prediction).tolist() if costs else None
    return Chosen(answers.chosen.tolist(), answers.probabilities.tolist(), decided)
