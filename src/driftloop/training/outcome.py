"""Outcome: how a run of the training pipeline ended, as the gate writes it and others read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True)
class Outcome:
    """The verdict (promote, hold, reject, failed), on which version, and why.

    ``predicted``: its mean prediction over the champion's, on the same rows (None: not known).
    """

    verdict: str
    version: str
    data_end: datetime | None
    reasons: tuple[str, ...]
    predicted: float | None = None


def key(loop_name: str, retraining: str) -> str:
    """Return where the gate of a Retraining leaves its verdict.

    >>> key("ads-ctr", "ads-ctr-3")
    'retrainings/ads-ctr/ads-ctr-3/verdict.json'
    """
    return f"retrainings/{loop_name}/{retraining}/verdict.json"


def read(content: bytes) -> Outcome:
    """Return the outcome that the gate wrote; raise InvalidInput for anything else."""
    try:
        record: dict[str, Any] = json.loads(content)
        data_end = times.from_text(record["data_end"])
        told = record.get("predicted")
        predicted = None if told is None else float(told)
        reasons = tuple(record["reasons"])
        return Outcome(record["verdict"], record["version"], data_end, reasons, predicted)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidInput("verdict.json", "the object store", "a verdict", str(error)) from error
