"""Parts: where a model may fail, as parts of the early and the held-out rows alike.

Named slices are parts, so are all rows. Others are searched for by shallow trees on half of the
held-out entities, for three ways to fail: a loss above that of the other rows, a loss above what
the model itself expects (the entropy of its predictions), and a loss above a flexible model's.
The other half judges them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.development import labelled
from driftloop.evaluation import loss, slice_search, slices
from driftloop.evaluation.difference import Floats, halves
from driftloop.evaluation.slices import Mask, Slice

ALL = "all rows"
MARGIN = 0.05
"""Relative excess of the loss from half of which on a part is suspected."""
ALIKE = 0.9
"""Of two parts' rows in common, from which on one of them says it all."""
LEAST_SHARE = 0.02
"""Of the held-out rows, that a named part has at least."""


@dataclass(frozen=True, eq=False)
class World:
    """Early and held-out rows as one frame, and what several models make of each row.

    ``model``: the judged one's probability (of early rows it is not used); ``flexible``: the
    challenger's; ``additive``: that of the one without interactions, fitted on the
    other half of the entities, so that early rows have one as well; ``expected``: the loss that the
    model itself expects of each row (None: as of one outcome that comes or does not).
    """

    rows: pd.DataFrame
    columns: tuple[str, ...]
    entity: str
    is_late: Mask
    judges: Mask
    model: Floats
    flexible: Floats
    additive: Floats
    expected: Floats | None = None

    @property
    def looks(self) -> Mask:
        """Return the held-out rows of the half that searches and fits."""
        found: Mask = self.is_late & ~self.judges
        return found

    @property
    def late_judges(self) -> Mask:
        """Return the held-out rows of the half that judges."""
        found: Mask = self.is_late & self.judges
        return found

    def lost(self, probability: Floats) -> Floats:
        """Return each row's loss."""
        return loss.log_loss(probability, self.rows["positives"], self.rows["weight"])


def world(
    early: pd.DataFrame,
    late: pd.DataFrame,
    probability: Floats,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    additive: bool = True,
) -> World:
    """Return both as one world; the challengers are fitted on the early rows.

    ``additive``: whether that one is wanted; else the flexible one stands for it.
    """
    from driftloop.development import challenger

    wanted = list(dict.fromkeys(["event_time", entity, "weight", "positives", *columns]))
    others = [name for name in late.columns if name in early.columns and name not in wanted]
    both = [frame[[*wanted, *others]] for frame in (early, late)]
    rows = pd.concat(both, ignore_index=True)
    is_late = np.arange(len(rows)) >= len(early)
    judges = halves(rows[entity], rng) == 1
    flexible = challenger.fit(early, columns).predict(rows)
    crossed = _crossed(rows, columns, is_late, judges) if additive else flexible
    model = np.concatenate([flexible[: len(early)], np.asarray(probability, "float64")])
    return World(rows, tuple(columns), entity, is_late, judges, model, flexible, crossed)


def of_held_out(
    late: pd.DataFrame,
    probability: Floats,
    columns: Sequence[str],
    entity: str,
    rng: np.random.Generator,
    expected: Floats,
) -> World:
    """Return a world of held-out rows alone, with no model beside the judged one."""
    every, judges = np.ones(len(late), bool), halves(late[entity], rng) == 1
    model = np.asarray(probability, "float64")
    rows = late.reset_index(drop=True)
    return World(rows, tuple(columns), entity, every, judges, model, model, model, expected)


def _crossed(rows: pd.DataFrame, columns: Sequence[str], is_late: Mask, judges: Mask) -> Floats:
    """Return what each half is predicted by trees that learned from the other half's early rows."""
    from driftloop.development import challenger

    found = np.empty(len(rows))
    for half in (judges, ~judges):
        learned = rows[~half & ~is_late]
        if labelled.has_both(learned):
            found[half] = challenger.fit(learned, columns, additive=True).predict(rows[half])
        else:
            weight, positives = labelled.counts(rows[~is_late])
            found[half] = positives.sum() / weight.sum()
    return found


def candidates(world: World, named: Sequence[str]) -> list[Slice]:
    """Return all rows, the named slices and what the search suspects, none of them twice."""
    everything = Slice(ALL, np.ones(len(world.rows), bool))
    least = LEAST_SHARE * float(world.is_late.sum())
    parts = slices.named(world.rows, named, least / len(world.rows))
    known = [one for one in parts if (one.inside & world.is_late).sum() >= least]
    found: list[Slice] = [everything]
    for part in [*known, *_suspects(world)]:
        if not any(_common(world, part, other) > ALIKE for other in found):
            found.append(part)
    return found


def _suspects(world: World) -> list[Slice]:
    weight, _ = labelled.counts(world.rows)
    own, looks = world.lost(world.model), world.looks
    usual = weight * own[looks].sum() / weight[looks].sum()
    expected = world.expected
    if expected is None:
        expected = weight * loss.entropy(np.clip(world.model, loss.CLIP, 1 - loss.CLIP))
    found = []
    for other in (expected, world.lost(world.flexible), usual):
        found += slice_search.suspected(
            world.rows, world.columns, own - other, other, MARGIN, looks
        )
    return found


def _common(world: World, first: Slice, second: Slice) -> float:
    one, two = first.inside[world.is_late], second.inside[world.is_late]
    return float((one & two).sum() / max(1, (one | two).sum()))


def inside(part: Slice, rows: Mask) -> Any:
    """Return the positions of a part's rows among ``rows``."""
    return np.flatnonzero(part.inside & rows)
