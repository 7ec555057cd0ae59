"""Error analysis: where a model fails, what kind of error each failure is, and what to do next.

On held-out rows, with half of their entities to look for failures and the other half to judge
them. parts.py says where is looked, kinds.py how a kind is decided, actions.py what follows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from driftloop.development import cluster, kinds, labelled, parts
from driftloop.development.kinds import NOISE, ORDER, Test
from driftloop.development.parts import World, inside
from driftloop.evaluation.difference import FEWEST_ENTITIES, Floats, Interval
from driftloop.evaluation.slices import Mask, Slice, holm
from driftloop_contracts.errors import InvalidInput

CONFIDENCE = 0.95
"""Of the bounds, each one-sided."""
CONCENTRATED = 0.7
"""Of a part's gain, which a smaller part within it must have to be told in its place."""
WITHIN = 0.8
"""Of a part's rows that lie in another one, from which on it is a part of that."""


@dataclass(frozen=True)
class Failure:
    """A part of the rows where the model fails, or could do better.

    ``excess``: by how much its loss a row exceeds that of the other rows; ``share``: of all excess
    loss; ``gain``: nats a row of all held-out rows, if repaired; ``relative``: to the model's loss;
    ``wrong``: share of its labels, where they are what is wrong; ``column``: what is missing;
    ``inside``: which held-out rows are of the part.
    """

    part: str
    rows: int
    excess: Interval
    share: float
    kind: str
    said: str
    p_value: float
    gain: float
    relative: float
    wrong: float = 0.0
    column: str = ""
    inside: Mask = field(default_factory=lambda: np.zeros(0, bool), compare=False, repr=False)

    def to_data(self) -> dict[str, Any]:
        """Return the failure, ready for JSON."""
        numbers = ("share", "p_value", "gain", "relative", "wrong")
        told = {name: float(f"{getattr(self, name):.4g}") for name in numbers}
        excess = [round(one, 6) if np.isfinite(one) else None for one in self.excess]
        words = {"part": self.part, "kind": self.kind, "said": self.said, "column": self.column}
        return {**words, "rows": self.rows, "excess": excess, **told}


@dataclass(frozen=True)
class ErrorAnalysis:
    """The failures, what gains most first, on ``rows`` of ``entities``; ``loss``: of a row."""

    failures: tuple[Failure, ...]
    rows: int
    entities: int
    loss: float
    note: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return the analysis, ready for JSON."""
        listed = [one.to_data() for one in self.failures]
        return {
            "failures": listed,
            "rows": self.rows,
            "loss": round(self.loss, 6),
            "note": self.note,
        }


def analyse(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probability: Floats,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    *,
    named: Sequence[str] = (),
    others: Sequence[str] = (),
    suspicion: str = "",
) -> ErrorAnalysis:
    """Return where the model fails on ``late``, and what kind of failure each is.

    ``early``: the rows that the model learned from; ``probability``: the model's for ``late``;
    ``columns``: the model's; ``named``: whose values are parts; ``others``: columns of both frames
    that the model does not have; ``suspicion``: a column of both, that each row's label is wrong,
    0 to 1. Frames: ``event_time``, ``entity``, ``weight``, ``positives`` and these columns. Raise
    InvalidInput for a frame that lacks one.
    """
    wanted = [*columns, *others, *named, entity, "event_time", *([suspicion] if suspicion else [])]
    for rows, where in ((early, "the early rows"), (late, "the held-out rows")):
        labelled.require(rows, wanted, where)
    labelled.require_probability(probability, late, "the held-out rows")
    if not columns:
        raise InvalidInput("the columns", "the error analysis", "one or more", "none")
    count = int(late[entity].nunique())
    note = too_few(early, late, entity)
    if note:
        return ErrorAnalysis((), len(late), count, _mean_loss(late, probability), note)
    world = parts.world(early, late, probability, columns, entity, rng)
    scores = world.rows[suspicion].to_numpy("float64") if suspicion else None

    def ask(part: Slice) -> list[Test]:
        return [*kinds.of_model(world, part, others), kinds.of_labels(world, part, scores)]

    found = failures(world, parts.candidates(world, named), ask)
    return ErrorAnalysis(tuple(found), len(late), count, _mean_loss(late, probability))


def _mean_loss(rows: pd.DataFrame, probability: Floats) -> float:
    from driftloop.evaluation import loss

    return loss.mean_log_loss(probability, rows["positives"], rows["weight"])


def too_few(early: pd.DataFrame, late: pd.DataFrame, entity: str) -> str:
    """Return why nothing can be said of these rows, '' where something can."""
    count, least = int(late[entity].nunique()), 2 * FEWEST_ENTITIES
    if count < least:
        return f"Nothing is said of {count} {entity}s: it takes {least}, as half of them judge."
    for rows, where in ((early, "early"), (late, "held-out")):
        if not labelled.has_both(rows):
            least = labelled.FEWEST
            return f"Nothing is said: the {where} rows have fewer than {least} of one outcome."
    return ""


def failures(
    world: World,
    found: Sequence[Slice],
    ask: Callable[[Slice], list[Test]],
    error: float = kinds.ERROR,
) -> list[Failure]:
    """Return those of the parts ``found`` that fail, what gains most first.

    ``ask``: the tests of a part; ``error``: the chance that anything is explained where nothing is
    wrong.
    """
    judged = [part for part in found if can_judge(world, part)]
    tried = [ask(part) for part in judged]
    flat = [test for tests in tried for test in tests]
    falls = iter(holm([test.p_value for test in flat], error) if flat else [])
    fallen = [[test for test in tests if next(falls)] for tests in tried]
    excesses = [_excess(world, part) for part in judged]
    harder = holm([one.p_value for one in excesses], error) if judged else []
    shares = _shares(world, judged)
    pairs = []
    for number, part in enumerate(judged):
        test = _first(fallen[number], excesses[number], harder[number])
        if test is not None:
            told = _failure(world, part, test, excesses[number], shares[number])
            pairs.append((part, told))
    kept = _once(pairs, world)
    return sorted(kept, key=lambda one: (-one.gain, one.kind == NOISE, -one.share))


def measured(world: World, found: Sequence[Slice]) -> list[tuple[Interval, float]]:
    """Return of each part by how much a row loses more than the others', and its share of excess.

    ``found``: parts of all of the world's rows.
    """
    shares = _shares(world, found)
    return [(_between(_excess(world, part)), own) for part, own in zip(found, shares, strict=True)]


def can_judge(world: World, part: Slice) -> bool:
    """Return whether both halves have entities enough in it."""
    return all(
        int(world.rows[world.entity].iloc[inside(part, half)].nunique()) >= FEWEST_ENTITIES
        for half in (world.looks, world.late_judges)
    )


def _first(fallen: Sequence[Test], excess: cluster.Sum, harder: bool) -> Test | None:
    """Return the explanation that a part has, noise where it only fails, or nothing."""
    for kind in ORDER:
        own = [test for test in fallen if test.kind == kind]
        if own:
            return max(own, key=lambda one: one.gain)
    said = "nothing explains it, its outcomes are harder to foresee"
    return Test(NOISE, excess.p_value, 0.0, said) if harder else None


def _excess(world: World, part: Slice) -> cluster.Sum:
    """Return by how much a row loses more than one of the other rows, on the judging half."""
    rows = np.flatnonzero(world.late_judges)
    weight, _ = labelled.counts(world.rows)
    n, own, lost = weight[rows], part.inside[rows], world.lost(world.model)[rows]
    if own.all():
        return cluster.Sum(0.0, 0.0, 0)
    means = [float(lost[side].sum() / n[side].sum()) for side in (own, ~own)]
    inside_ = own * (lost - means[0] * n) / n[own].sum()
    outside = ~own * (lost - means[1] * n) / n[~own].sum()
    spread = cluster.of_rows(inside_ - outside, world.rows[world.entity].iloc[rows])
    return cluster.Sum(means[0] - means[1], spread.error, spread.entities)


def _shares(world: World, judged: Sequence[Slice]) -> list[float]:
    """Return each part's share of all loss beyond the mean, over the cells that parts make."""
    rows = world.late_judges
    if not judged:
        return []
    member = np.stack([part.inside[rows] for part in judged], axis=1)
    cells, of = np.unique(member, axis=0, return_inverse=True)
    weight, _ = labelled.counts(world.rows)
    lost, n = world.lost(world.model)[rows], weight[rows]
    sums = np.bincount(of.reshape(-1), lost - n * lost.sum() / n.sum(), len(cells))
    beyond = np.maximum(sums, 0.0)
    return [float(one) for one in beyond @ cells / max(float(beyond.sum()), 1e-300)]


def _failure(world: World, part: Slice, test: Test, excess: cluster.Sum, share: float) -> Failure:
    weight, _ = labelled.counts(world.rows)
    judges = world.late_judges
    usual = float(world.lost(world.model)[judges].sum() / weight[judges].sum())
    gain = max(0.0, test.gain) / float(weight[judges].sum())
    return Failure(
        part=part.name,
        rows=len(inside(part, world.is_late)),
        excess=_between(excess),
        share=share,
        kind=test.kind,
        said=test.said,
        p_value=test.p_value,
        gain=gain,
        relative=gain / usual if usual > 0 else 0.0,
        wrong=test.wrong,
        column=test.detail,
        inside=part.inside[world.is_late],
    )


def _between(excess: cluster.Sum) -> Interval:
    low, high = excess.bounds(CONFIDENCE) if excess.entities else (0.0, 0.0)
    return Interval(low, excess.value, high)


def _once(pairs: Sequence[tuple[Slice, Failure]], world: World) -> list[Failure]:
    """Return each failure once: where it is concentrated, else on the whole that it is part of."""
    kept: list[tuple[Slice, Failure]] = []
    by_gain = sorted(pairs, key=lambda pair: -pair[1].gain)
    for part, one in by_gain:
        narrower = [
            other
            for smaller, other in by_gain
            if other.rows < one.rows
            and _within(smaller, part, world) >= WITHIN
            and other.gain >= CONCENTRATED * one.gain
        ]  # fmt: skip
        covered = any(
            other.kind == one.kind and _within(part, larger, world) >= WITHIN
            for larger, other in kept
        )
        if not covered and (one.kind == NOISE or not narrower):
            kept.append((part, one))
    return [one for _, one in kept]


def _within(part: Slice, other: Slice, world: World) -> float:
    own = part.inside & world.is_late
    return float((own & other.inside).sum() / max(1, own.sum()))
