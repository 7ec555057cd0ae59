"""Doubt: which labels among classes are probably wrong, by the model's word and the trees'.

Confident learning (labels/errors.py) on held-out rows. Where something else explains that the model
errs, its word against a label counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from driftloop.development import error_analysis, kinds, parts
from driftloop.development.class_subject import Subject
from driftloop.development.parts import World
from driftloop.evaluation.difference import Floats
from driftloop.evaluation.slices import Mask, Slice, holm
from driftloop.labels import classes
from driftloop.labels import errors as label_errors
from driftloop.labels.classes import NONE, Codes


@dataclass(frozen=True, eq=False)
class Told:
    """One class against the others: both frames as one world, and the parts to look at.

    ``place``: the class's among the subject's.
    """

    name: str
    place: int
    world: World
    parts: list[Slice]


@dataclass(frozen=True, eq=False)
class Wrong:
    """How probable it is that each held-out label is wrong, and the class it should be instead."""

    share: Floats
    proposed: Codes

    def mended(self, rows: pd.DataFrame, place: int) -> pd.Series[float]:
        """Return the positives of a class when its wrong labels are put right in part."""
        own, other = rows["positives"], rows["weight"] * (self.proposed == place)
        found: pd.Series[float] = own + self.share * (other - own)
        return found


def of(
    late: pd.DataFrame, probabilities: Floats, subject: Subject, told: Sequence[Told]
) -> tuple[Wrong | None, str]:
    """Return how probable it is that each label is wrong, or why that cannot be known.

    Nothing, and no reason, where no person could tell. ``told``: the classes with rows enough.
    """
    if not subject.decidable:
        return None, ""
    places = classes.places(late, subject.classes)
    labels = np.where(_shifted(told), NONE, places)
    # Of a class without rows nothing is known; the others are told apart by what is left to them.
    present = np.unique(labels[labels != NONE])
    if len(present) < 2:
        return None, "Which are wrong is not known: the rows are of one class."
    own = probabilities[:, present] / np.maximum(probabilities[:, present].sum(1), 1e-12)[:, None]
    known = np.where(np.isin(labels, present), np.searchsorted(present, labels), NONE)
    names = [subject.classes[place] for place in present]
    found = label_errors.find(known, own, names, decidable=True)
    if np.isnan(found.rate.estimate):
        return None, f"Which are wrong is not known: {found.note}"
    # As many as there surely are: the likeliest number is too many as often as too few.
    surely = found.rate.low / max(found.rate.estimate, 1e-12)
    share = np.clip(np.nan_to_num(found.wrong) * surely, 0.0, 1.0)
    share[_defended(places, probabilities, told)] = 0.0
    return Wrong(share, present[found.proposed]), ""


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


def _defended(places: Codes, probabilities: Floats, told: Sequence[Told]) -> Mask:
    """Return of which labels the trees are as sure as the model is of what it says."""
    found, sure = np.zeros(len(places), bool), probabilities.max(axis=1)
    for one in told:
        trees = one.world.flexible[one.world.is_late]
        found |= (places == one.place) & (trees >= sure)
    return found
