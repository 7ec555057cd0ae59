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
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from driftloop.development import class_rates, error_analysis, kinds, parts
from driftloop.development.error_analysis import ErrorAnalysis, Failure
from driftloop.development.kinds import NOISE, Test
from driftloop.development.parts import World
from driftloop.evaluation.difference import Floats
from driftloop.evaluation.slices import Mask, Slice, holm
from driftloop.labels import errors as label_errors
from driftloop.labels.classes import NONE, Codes
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY


@dataclass(frozen=True, eq=False)
class Told:
    """One class against the others: both frames as one world, and the parts to look at."""

    name: str
    world: World
    parts: list[Slice]


@dataclass(frozen=True, eq=False)
class Wrong:
    """How probable it is that each held-out label is wrong, and what it should be instead."""

    share: Floats
    proposed: Codes

    def mended(self, rows: pd.DataFrame, place: int) -> pd.Series[float]:
        """Return the positives of a class when its wrong labels are put right in part."""
        own, other = rows["positives"], rows["weight"] * (self.proposed == place)
        found: pd.Series[float] = own + self.share * (other - own)
        return found


def analyse(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probabilities: Floats,
    classes: Sequence[str],
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    *,
    named: Sequence[str] = (),
    decidable: bool = False,
) -> ErrorAnalysis:
    """Return where the model fails on ``late``, and what kind of failure each is.

    ``probabilities``: the model's for ``late``, [rows, classes]; ``columns``: whose values may be
    told; ``decidable``: whether a person could tell the class from a row: else no label is called
    wrong. Frames: ``event_time``, ``entity``, ``weight``, ``category`` and the columns.
    """
    places = class_rates.codes(late, classes)
    given = probabilities[np.arange(len(late)), places]
    rows, count = late.assign(positives=late["weight"]), int(late[entity].nunique())
    whole = parts.of_held_out(rows, given, columns, entity, rng)
    lost = float(whole.lost(given).sum() / late["weight"].sum())
    told, notes = _each(early, late, probabilities, classes, columns, entity, rng, named)
    if not told:
        return ErrorAnalysis((), len(late), count, lost, " ".join(notes))
    wrong = _wrong(places, probabilities, classes, told) if decidable else None
    found = [one for each in told for one in _of_class(each, wrong, classes)]
    failures = [*_of_truth(whole, wrong, named), *_once(found, lost)]
    ranked = sorted(failures, key=lambda one: (-one.gain, one.kind == NOISE, -one.share))
    return ErrorAnalysis(tuple(ranked), len(late), count, lost, " ".join(notes))


def _each(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probabilities: Floats,
    classes: Sequence[str],
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    named: Sequence[str],
) -> tuple[list[Told], list[str]]:
    """Return each class against the others, and why nothing can be said of some."""
    told, notes = [], dict[str, str]()
    for place, name in enumerate(classes):
        both = [
            one.assign(positives=one["weight"] * (one[CATEGORY] == name)) for one in (early, late)
        ]
        note = error_analysis.too_few(both[0], both[1], entity)
        if note:
            notes[name] = note
            continue
        own = np.clip(probabilities[:, place], 0.0, 1.0)
        world = parts.world(both[0], both[1], own, columns, entity, rng, additive=False)
        among = [column for column in named if column != CATEGORY]
        told.append(Told(name, world, parts.candidates(world, among)))
    if len(set(notes.values())) == 1 and not told:  # Of all the same: there are few entities.
        return told, list(notes.values())[:1]
    return told, [f"{name}: {note}" for name, note in notes.items()]


def _of_class(told: Told, wrong: Wrong | None, classes: Sequence[str]) -> list[Failure]:
    """Return where one class is not told from the others, its wrong labels aside."""
    world, late = told.world, told.world.is_late
    if wrong is not None:
        positives = world.rows["positives"].copy()
        held_out = world.rows[late].reset_index(drop=True)
        positives[late] = wrong.mended(held_out, classes.index(told.name)).to_numpy()
        world = replace(world, rows=world.rows.assign(positives=positives))

    def ask(part: Slice) -> list[Test]:
        return kinds.of_model(world, part)

    found = error_analysis.failures(world, told.parts, ask, kinds.ERROR / 2 / len(classes))
    # Where rows are merely harder is told of all classes together.
    kept = [one for one in found if one.kind != NOISE]
    return [replace(one, part=f"{told.name} in {one.part}") for one in kept]


def _of_truth(world: World, wrong: Wrong | None, named: Sequence[str]) -> list[Failure]:
    """Return where what happened was given little probability, and where labels are wrong."""

    def ask(part: Slice) -> list[Test]:
        return [] if wrong is None else [kinds.of_labels(world, part, wrong.share)]

    found = parts.candidates(world, [*dict.fromkeys((*named, CATEGORY))])
    return error_analysis.failures(world, found, ask, kinds.ERROR / 2)


def _once(found: Sequence[Failure], loss: float) -> list[Failure]:
    """Return each kind of failure of a part once: of the class that would gain most.

    What is wrong with one class is as a rule wrong with the one it is taken for.
    """
    kept: dict[tuple[str, str], Failure] = {}
    for one in sorted(found, key=lambda one: -one.gain):
        relative = one.gain / loss if loss > 0 else 0.0
        where = one.part.partition(" in ")[2]
        kept.setdefault((one.kind, where), replace(one, relative=relative))
    return list(kept.values())


def _wrong(
    places: Codes, probabilities: Floats, classes: Sequence[str], told: Sequence[Told]
) -> Wrong | None:
    """Return how probable it is that each label is wrong; None where that cannot be known."""
    labels = np.where(_shifted(told), NONE, places)
    try:
        found = label_errors.find(labels, probabilities, classes, decidable=True)
    except InvalidInput:  # A class that none of these rows is of.
        return None
    if not found.rate.low > 0:
        return None
    # As many as there surely are: the likeliest number is too many as often as too few.
    share = np.nan_to_num(found.wrong) * (found.rate.low / found.rate.estimate)
    share[_defended(places, probabilities, classes, told)] = 0.0
    return Wrong(np.clip(share, 0.0, 1.0), found.proposed)


def _shifted(told: Sequence[Told]) -> Mask:
    """Return which held-out rows are of a part that came newly and is off for it."""
    asked = [
        (one.world, part, kinds.of_shift(one.world, part))
        for one in told
        for part in one.parts
        if error_analysis.can_judge(one.world, part)
    ]
    found = np.zeros(int(told[0].world.is_late.sum()), bool)
    falls = holm([test.p_value for _, _, test in asked], kinds.ERROR) if asked else []
    for (world, part, _), fallen in zip(asked, falls, strict=True):
        if fallen and part.name != parts.ALL:
            found |= part.inside[world.is_late]
    return found


def _defended(
    places: Codes, probabilities: Floats, classes: Sequence[str], told: Sequence[Told]
) -> Mask:
    """Return of which labels the trees are as sure as the model is of what it says."""
    found, sure = np.zeros(len(places), bool), probabilities.max(axis=1)
    for one in told:
        trees = one.world.flexible[one.world.is_late]
        found |= (places == classes.index(one.name)) & (trees >= sure)
    return found
