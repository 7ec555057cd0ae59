"""Concept: how outcomes follow a bundle's predictions, from its training to its mature records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from driftloop.drift.matured import Matured
from driftloop.loop import LearningLoop
from driftloop_contracts import baseline
from driftloop_contracts.drift import concept
from driftloop_contracts.drift.concept import Concept, Judged

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Watched:
    """One bundle whose outcomes are followed; ``tests``: on any window of its loop."""

    bundle: str
    concept: Concept
    tests: int

    def told(self, rows: pd.DataFrame, period: timedelta) -> dict[str, Any] | None:
        """Return what an event says of the bundle's own labelled rows; None without any.

        What had no prediction is left out.
        """
        own = rows[(rows["bundle_version"] == self.bundle) & np.isfinite(rows["prediction"])]
        if own.empty:
            return None
        columns = [own[n].to_numpy("float64") for n in ("prediction", "positives", "weight")]
        found = Matured(
            bundle=self.bundle,
            start=own["event_time"].min().to_pydatetime(),
            end=own["event_time"].max().to_pydatetime(),
            period=period,
            rows=len(own),
            tests=self.tests,
            concept=self.concept.to_data(),
            seen=self.concept.count(*columns).to_data(),
        )
        return found.model_dump(mode="json")


def watched(version: str, drift: bytes, outcomes: bytes | None) -> Watched | None:
    """Return the bundle with this baseline; None where its outcomes are not followed."""
    if outcomes is None:
        return None
    return Watched(version, concept.from_json(outcomes), baseline.from_json(drift).tests)


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


def _judged(rows: pd.DataFrame, probability: Floats, loop: LearningLoop) -> Judged:
    order = np.argsort(rows["event_time"].to_numpy(), kind="stable")
    window = pd.Timedelta(loop.spec.drift.window.min_duration)
    cells = rows["event_time"].dt.floor(window).astype("int64").to_numpy()
    positives, weight = (rows[name].to_numpy("float64") for name in ("positives", "weight"))
    return Judged(probability[order], positives[order], weight[order], cells[order])
