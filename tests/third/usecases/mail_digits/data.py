"""Data: handwritten digits of scikit-learn, which come in by a schedule that is made up.

The 1,797 images and their digits are real (Alpaydin and Kaynak, 1998; UCI, Optical Recognition of
Handwritten Digits). When, where and by which scanner each comes in is not: a seed decides it.
Each image comes once, so that no model is judged by an image that it has learnt from.
"""

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.datasets import load_digits

from driftloop.loop import LearningLoop
from driftloop.spec.base import Spec
from driftloop.traffic import Change, Traffic
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput

SOURCE = "schedule"
FIRST_DAY = pd.Timestamp("2026-01-01", tz="UTC")
CLERK = pd.Timedelta(hours=6)
"""After so long a clerk has typed in the digit."""
PALE = 0.6
"""What a handheld scanner leaves of the ink."""
LOW = 5
"""Digits below it are low ones: at counters of even number they come more often."""


class Schedule(Spec):
    """The source's parameters in loop.yaml; ``handheldAfter``: in days."""

    days: int = Field(ge=3, le=365)
    counters: int = Field(ge=2, le=1000)
    handheld_after: int = Field(ge=1)


def source_name(span: Span) -> str:
    """Return which of loop.yaml's sources ``span`` reads."""
    if span.data:
        raise InvalidInput("--data", "the command", "absent: the digits are built in", span.data)
    return SOURCE


def read(loop: LearningLoop, span: Span) -> Traffic:
    """Return the traffic of ``span``: each image once, in an order that its seed decides."""
    source_name(span)
    schedule, rng = loop.parameters(SOURCE, Schedule), np.random.default_rng(span.seed)
    images, digits = load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    images, digits = images[order].reshape(-1, 8, 8), digits[order]
    offset = np.sort(rng.uniform(0, schedule.days, len(images)))
    time = pd.DatetimeIndex(FIRST_DAY + pd.to_timedelta(offset, unit="D")).as_unit("us")
    is_handheld = (offset >= schedule.handheld_after) & (rng.random(len(images)) < 0.5)
    ink = np.where(is_handheld[:, None, None], PALE, 1.0) * images
    requests = pd.DataFrame(
        {
            "row_id": [f"image-{number}" for number in order],
            "event_time": time,
            "counter_id": _counters(digits, schedule.counters, rng),
            "scanner": np.where(is_handheld, "handheld", "flatbed").astype(object),
            **{f"row_{number}": ink[:, number, :].sum(axis=1) for number in range(8)},
            **{f"column_{number}": ink[:, :, number].sum(axis=1) for number in range(8)},
            "weight": 1.0,
        }
    )
    outcomes = pd.DataFrame(
        {
            "row_id": requests["row_id"],
            "event_time": time,
            "positives": 1.0,
            "category": digits.astype(str).astype(object),
            "known_time": time + CLERK,
            "revision": 0,
        }
    )
    kept = _within(requests["event_time"], span)
    requests, outcomes = (f[kept].reset_index(drop=True) for f in (requests, outcomes))
    start = (FIRST_DAY + pd.Timedelta(days=schedule.handheld_after)).to_pydatetime()
    changes = (Change("handheld", "drift", start, None),)
    return Traffic(requests, outcomes, requests.iloc[:0].assign(reason=""), changes=changes)


def _counters(digits: np.ndarray, counters: int, rng: np.random.Generator) -> np.ndarray:
    """Return each image's counter: of low digits seven in ten come in at one of even number."""
    is_even = rng.random(len(digits)) < np.where(digits < LOW, 0.7, 0.3)
    return 2 * rng.integers(counters // 2, size=len(digits)) + ~is_even


def _within(time: pd.Series, span: Span) -> pd.Series:
    kept = span.within(time)
    if not kept.any():
        allowed = "days that the schedule covers"
        raise InvalidInput("--from, --to", "the command", allowed, f"{span.first}, {span.last}")
    return kept
