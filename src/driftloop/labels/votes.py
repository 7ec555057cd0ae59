"""Votes: what labelling functions, or people, said of each row, and how each of them does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from driftloop.evaluation.difference import Interval
from driftloop.labels.classes import NONE, Codes, Floats
from driftloop.labels.proportion import wilson
from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Votes:
    """``codes`` [rows, voters]: places in ``classes``, -1 for an abstention."""

    codes: Codes
    voters: tuple[str, ...]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        shape, wanted = self.codes.shape, len(self.voters)
        if self.codes.ndim != 2 or shape[1] != wanted:
            raise InvalidInput("the votes", "their array", f"rows of {wanted} voters", shape)
        if self.codes.size and not -1 <= self.codes.min() <= self.codes.max() < len(self.classes):
            allowed = f"-1 to {len(self.classes) - 1}"
            raise InvalidInput("the votes", "their array", allowed, int(self.codes.max()))

    @property
    def cast(self) -> Any:
        """Return whether each voter voted on each row."""
        return self.codes != NONE

    def counts(self) -> Floats:
        """Return the number of votes for each class, [rows, classes]."""
        places = range(len(self.classes))
        return np.stack([(self.codes == k).sum(axis=1) for k in places], axis=1).astype("float64")

    def disagreement(self) -> Floats:
        """Return each row's entropy of votes, from 0 (all alike, or fewer than two) to 1."""
        return entropy(self.counts())

    def majority(self) -> Codes:
        """Return the class with most votes, -1 where there is none or two have as many."""
        counts = self.counts()
        most = counts.max(axis=1, keepdims=True)
        tied = (counts == most).sum(axis=1) > 1
        return np.where(tied | (most[:, 0] == 0), NONE, counts.argmax(axis=1))


@dataclass(frozen=True)
class Summary:
    """How one voter does.

    Shares of all rows: ``coverage`` where it voted, ``overlap`` where another did too,
    ``conflict`` where another said another class. ``voted_for``: votes by class. ``accuracy`` of
    its ``known`` votes on rows whose true label is known.
    """

    voter: str
    coverage: float
    overlap: float
    conflict: float
    voted_for: dict[str, int]
    known: int
    accuracy: Interval

    def to_data(self) -> dict[str, Any]:
        """Return the summary, ready for JSON."""
        bounds = self.accuracy.named()
        return self.__dict__ | {"accuracy": bounds}


def summaries(votes: Votes, truth: Codes | None = None) -> list[Summary]:
    """Return each voter's summary; ``truth``: codes of the true labels, -1 where not known.

    >>> votes = Votes(np.array([[0, 0], [1, 0], [-1, 1]]), ("a", "b"), ("no", "yes"))
    >>> first, _ = summaries(votes, np.array([0, 0, -1]))
    >>> round(first.coverage, 2), round(first.conflict, 2), first.accuracy.estimate
    (0.67, 0.33, 0.5)
    """
    rows = len(votes.codes)
    if not rows:
        raise InvalidInput("the votes", "a summary", "of one row or more", "none")
    true = np.full(rows, NONE) if truth is None else np.asarray(truth)
    if true.shape != (rows,):
        raise InvalidInput(
            "the true labels", "a summary", f"one for each of {rows} rows", true.shape
        )
    cast, counts = votes.cast, votes.counts()
    total = counts.sum(axis=1)
    return [
        _summary(votes, place, cast[:, place], total, counts, true)
        for place in range(cast.shape[1])
    ]


def _summary(
    votes: Votes, place: int, cast: Any, total: Floats, counts: Floats, true: Codes
) -> Summary:
    codes = votes.codes[:, place]
    alike = counts[np.arange(len(codes)), np.maximum(codes, 0)]
    judged = cast & (true != NONE)
    right = float((codes == true)[judged].sum())
    return Summary(
        votes.voters[place],
        float(cast.mean()),
        float((cast & (total > 1)).mean()),
        float((cast & (alike < total)).mean()),
        {name: int((codes == k).sum()) for k, name in enumerate(votes.classes)},
        int(judged.sum()),
        wilson(right, float(judged.sum())),
    )


def entropy(counts: Floats) -> Floats:
    """Return each row's entropy of ``counts`` (of any sum), from 0 to 1 with equal counts.

    >>> entropy(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 0.0]])).tolist()
    [0.0, 1.0, 0.0]
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    found: Floats = np.abs((shares * logs).sum(axis=1)) / np.log(counts.shape[1])
    return found
