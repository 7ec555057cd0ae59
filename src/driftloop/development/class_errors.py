"""Class errors: where a model of several classes fails, and what kind of error each failure is.

What kind it is takes one class at a time against the others: that is one outcome that comes or does
not, for kinds.py to test. Where rows are harder at all, and which labels are wrong, is read off the
probability that was given to what happened. Three things keep the kinds apart:

- where a class came newly (a shift) the model's word against a label counts for nothing;
- nor does it where boosted trees on the same columns are as sure of the label as it is of another;
- labels that are wrong all the same are put right, in part, before the other kinds are tested.

The chance that anything is made up is shared: a half for labels, the other among the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import special, stats

from driftloop.development import doubt, error_analysis, kinds, labelled, parts
from driftloop.development.class_subject import Subject
from driftloop.development.doubt import Told, Wrong
from driftloop.development.error_analysis import WITHIN, ErrorAnalysis, Failure
from driftloop.development.kinds import NOISE, SHIFT, Test
from driftloop.development.parts import World
from driftloop.evaluation.difference import Floats
from driftloop.evaluation.slices import Mask, Slice
from driftloop_contracts.inference import CATEGORY

LABELS = kinds.ERROR / 2


def analyse(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probabilities: Floats,
    subject: Subject,
    rng: np.random.Generator,
) -> ErrorAnalysis:
    """Return where the model fails on ``late``, and what kind of failure each is.

    ``probabilities``: the model's for ``late``, [rows, classes]. Frames: ``event_time``, the
    entity, ``weight``, ``category`` and the subject's columns.
    """
    given, entity = subject.given(late, probabilities), subject.entity
    rows, count = late.assign(positives=late["weight"]), int(late[entity].nunique())
    expected = special.entr(probabilities).sum(axis=1) * late["weight"].to_numpy("float64")
    whole = parts.of_held_out(rows, given, subject.columns, entity, rng, expected)
    lost = float(whole.lost(given).sum() / late["weight"].sum())
    told, notes = _each(early, late, probabilities, subject, rng)
    if not told:
        return ErrorAnalysis((), len(late), count, lost, _said(notes))
    wrong, unknown = doubt.of(late, probabilities, subject, told)
    each = [(one.name, failure) for one in told for failure in _of_class(one, wrong, subject)]
    own = _once(whole, each, lost)
    failures = [*own, *_unexplained(_of_truth(whole, wrong, subject.named, early), own)]
    ranked = sorted(failures, key=lambda one: (-one.gain, one.kind == NOISE, -one.share))
    if unknown:
        notes["labels"] = unknown
    return ErrorAnalysis(tuple(ranked), len(late), count, lost, _said(notes))


def _each(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probabilities: Floats,
    subject: Subject,
    rng: np.random.Generator,
) -> tuple[list[Told], dict[str, str]]:
    """Return each class against the others, and why nothing can be said of some."""
    told, notes, entity = [], dict[str, str](), subject.entity
    among = [column for column in subject.named if column != CATEGORY]
    for place, name in enumerate(subject.classes):
        before, now = (
            one.assign(positives=one["weight"] * (one[CATEGORY] == name)) for one in (early, late)
        )
        note = error_analysis.too_few(before, now, entity)
        if note:
            notes[name] = note
            continue
        own = np.clip(probabilities[:, place], 0.0, 1.0)
        world = parts.world(before, now, own, subject.columns, entity, rng, additive=False)
        told.append(Told(name, place, world, parts.candidates(world, among)))
    return told, notes


def _said(notes: dict[str, str]) -> str:
    """Return each reason once, with what it is of.

    >>> _said({"hr": "Too few.", "it": "Too few.", "labels": "Not known."})
    'hr, it: Too few. labels: Not known.'
    """
    of: dict[str, list[str]] = {}
    for name, note in notes.items():
        of.setdefault(note, []).append(name)
    return " ".join(f"{', '.join(names)}: {note}" for note, names in of.items())


def _of_class(told: Told, wrong: Wrong | None, subject: Subject) -> list[Failure]:
    """Return where one class is not told from the others, its wrong labels aside."""
    world, late = told.world, told.world.is_late
    if wrong is not None:
        positives = world.rows["positives"].copy()
        held_out = world.rows[late].reset_index(drop=True)
        positives[late] = wrong.mended(held_out, told.place).to_numpy()
        world = replace(world, rows=world.rows.assign(positives=positives))

    def ask(part: Slice) -> list[Test]:
        return kinds.of_model(world, part)

    share = (kinds.ERROR - LABELS) / len(subject.classes)
    found = error_analysis.failures(world, told.parts, ask, share)
    # Where rows are merely harder is told of all classes together.
    return [one for one in found if one.kind != NOISE]


def _of_truth(
    world: World, wrong: Wrong | None, named: Sequence[str], early: pd.DataFrame
) -> list[Failure]:
    """Return where what happened was given little probability: for wrong labels, or a new class."""

    def ask(part: Slice) -> list[Test]:
        labels = [] if wrong is None else [kinds.of_labels(world, part, wrong.share)]
        return [*labels, *_new_class(world, part, early)]

    found = parts.candidates(world, [*dict.fromkeys((*named, CATEGORY))])
    return error_analysis.failures(world, found, ask, LABELS)


def _new_class(world: World, part: Slice, early: pd.DataFrame) -> list[Test]:
    """Return the test for a class that hardly came in what the model learned from.

    Its early count is compared with a Poisson number of 1 / GROWTH of its present share.
    """
    name = part.name.removeprefix(f"{CATEGORY} = ")
    if name == part.name:
        return []
    judged = parts.inside(part, world.late_judges)
    weight, _ = labelled.counts(world.rows)
    known = float(early["weight"][early[CATEGORY].astype(str) == name].sum())
    if known >= labelled.FEWEST:
        return []
    share = float(weight[judged].sum() / weight[world.late_judges].sum())
    expected = share * float(early["weight"].sum()) / kinds.GROWTH
    lost = world.lost(world.model)
    usual = float(lost[world.late_judges].sum() / weight[world.late_judges].sum())
    beyond = float(lost[judged].sum() - usual * weight[judged].sum())
    said = f"it came {known:.0f} times in what the model learned from"
    return [Test(SHIFT, float(stats.poisson.cdf(known, expected)), max(0.0, beyond), said)]


def _once(whole: World, found: Sequence[tuple[str, Failure]], loss: float) -> list[Failure]:
    """Return each kind of failure of a part once: of the class that would gain most.

    What is wrong with one class is as a rule wrong with the one it is taken for. How much a part
    loses beyond others is told of all classes together.
    """
    kept: list[tuple[str, Failure]] = []
    for name, one in sorted(found, key=lambda pair: -pair[1].gain):
        same = [other for _, other in kept if other.kind == one.kind]
        if not any(_covers(other.inside, one.inside) for other in same):
            kept.append((name, one))
    measured = error_analysis.measured(whole, [Slice(one.part, one.inside) for _, one in kept])
    return [
        replace(
            one, part=f"{name} in {one.part}", excess=excess, share=share,
            relative=one.gain / loss if loss > 0 else 0.0,
        )
        for (name, one), (excess, share) in zip(kept, measured, strict=True)
    ]  # fmt: skip


def _unexplained(found: Sequence[Failure], explained: Sequence[Failure]) -> list[Failure]:
    """Return the failures without the mere noise of parts that something explains."""
    some = [other.inside for other in explained if not other.inside.all()]
    return [
        one
        for one in found
        if one.kind != NOISE or not any(_covers(inside, one.inside) for inside in some)
    ]


def _covers(first: Mask, second: Mask) -> bool:
    """Return whether the second part lies in the first, or the first in it; all rows lie in none.

    >>> all_, some = np.ones(9, bool), np.arange(9) < 3
    >>> _covers(all_, some), _covers(some, all_)
    (True, False)
    """
    both = float((first & second).sum())
    if both >= WITHIN * max(1.0, second.sum()):
        return True
    return not second.all() and both >= WITHIN * max(1.0, first.sum())
