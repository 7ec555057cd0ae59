"""Concept: how outcomes follow a bundle's predictions, from its training to its mature records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop.drift import slices
from driftloop.drift.matured import Matured
from driftloop.drift.slices import Slice
from driftloop.loop import LearningLoop
from driftloop_contracts import baseline
from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.concept import Concept, Judged

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Watched:
    """One bundle whose outcomes are followed; ``tests``: on any window of its loop.

    ``slices``: the parts of its traffic of which they are followed as well.
    """

    bundle: str
    concept: Concept
    tests: int
    slices: tuple[Slice, ...] = ()

    def told(self, rows: pd.DataFrame, period: timedelta) -> dict[str, Any] | None:
        """Return what an event says of the bundle's own labelled rows; None without any.

        What had no prediction is left out.
        """
        own = self._own(rows)
        if own.empty:
            return None
        tests, _ = level.shared(self.tests, len(self.slices))
        told = self._told(own, own, self.concept, period, tests)
        return told.model_dump(mode="json", exclude={"slice"})

    def by_slice(self, rows: pd.DataFrame, period: timedelta) -> list[dict[str, Any]]:
        """Return the same of every slice, also of one without a row: its time passes as well."""
        own = self._own(rows)
        if own.empty:
            return []
        _, tests = level.shared(self.tests, len(self.slices))
        found = [
            self._told(own, own[one.part.inside(own)], one.concept, period, tests, one.part.name)
            for one in self.slices
        ]
        return [one.model_dump(mode="json") for one in found]

    def _own(self, rows: pd.DataFrame) -> pd.DataFrame:
        mine = (rows["bundle_version"] == self.bundle) & np.isfinite(rows["prediction"])
        found: pd.DataFrame = rows[mine]
        return found

    def _told(
        self,
        own: pd.DataFrame,
        part: pd.DataFrame,
        known: Concept,
        period: timedelta,
        tests: int,
        name: str = "",
    ) -> Matured:
        columns = [part[n].to_numpy("float64") for n in ("prediction", "positives", "weight")]
        return Matured(
            bundle=self.bundle,
            start=own["event_time"].min().to_pydatetime(),
            end=own["event_time"].max().to_pydatetime(),
            period=period,
            rows=len(part),
            tests=tests,
            concept=known.to_data(),
            seen=known.count(*columns).to_data(),
            slice=name,
        )


def watched(
    version: str, drift: bytes, outcomes: bytes | None, by_slice: bytes | None = None
) -> Watched | None:
    """Return the bundle with this baseline; None where its outcomes are not followed.

    ``by_slice``: what it stores of its slices; a bundle of before, or of a loop without any, has
    nothing.
    """
    if outcomes is None:
        return None
    tests, parts = baseline.from_json(drift).tests, slices.from_json(by_slice)
    return Watched(version, concept.from_json(outcomes), tests, parts)


def build(
    scored: pd.DataFrame, rows: pd.DataFrame, predicted: Floats, loop: LearningLoop
) -> Concept | None:
    """Return the bundle's concept, or None where the loop does not watch outcomes.

    ``scored``: the held-out rows with the ``probability`` of a model that had not seen them;
    ``rows``: all labelled ones with what the released model has ``predicted``.
    """
    policy = loop.spec.drift.outcomes
    if not policy.watch or scored.empty:
        return None
    held_out = _judged(scored, scored["probability"].to_numpy("float64"), loop)
    effect = policy.min_effect or loop.spec.drift.min_effect
    return concept.measure(held_out, _judged(rows, predicted, loop), effect)


def build_slices(
    scored: pd.DataFrame, rows: pd.DataFrame, predicted: Floats, loop: LearningLoop
) -> list[Slice]:
    """Return the same of the loop's slices: of those with a held-out row, the largest."""
    policy = loop.spec.drift.outcomes
    if not policy.watch or scored.empty or not loop.spec.gate.slices.columns:
        return []
    effect, found = policy.min_effect or loop.spec.drift.min_effect, []
    for part in slices.found(rows, loop):
        late, inside = scored[part.inside(scored)], part.inside(rows)
        if late.empty:
            continue
        held_out = _judged(late, late["probability"].to_numpy("float64"), loop)
        trained = _judged(rows[inside], predicted[inside], loop)
        found.append(Slice(part, concept.measure_slice(held_out, trained, effect)))
    return found


def _judged(rows: pd.DataFrame, probability: Floats, loop: LearningLoop) -> Judged:
    order = np.argsort(rows["event_time"].to_numpy(), kind="stable")
    window = pd.Timedelta(loop.spec.drift.window.min_duration)
    cells = rows["event_time"].dt.floor(window).astype("int64").to_numpy()
    positives, weight = (rows[name].to_numpy("float64") for name in ("positives", "weight"))
    return Judged(probability[order], positives[order], weight[order], cells[order])
