"""Outcome: how a run of the training pipeline ended, as the gate writes it and others read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftloop.stages.returned import Returned
from driftloop.training import carried
from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput


@dataclass(frozen=True)
class Outcome:
    """The verdict (promote, hold, reject, failed), on which version, and why.

    ``predicted``: its mean prediction over the champion's, on the same rows (None: not known);
    ``returned``: what the steps found that sends the loop back to an earlier stage; ``cutoff``: of
    the run, None where its verdict does not say it; ``warnings``: what the steps warn a person of;
    ``cause``: what the gate judged by; ``needed``: rows that tell what it held (0: not known).
    """

    verdict: str
    version: str
    data_end: datetime | None
    reasons: tuple[str, ...]
    predicted: float | None = None
    returned: tuple[Returned, ...] = ()
    cutoff: datetime | None = None
    warnings: tuple[str, ...] = ()
    cause: str = ""
    needed: int = 0


def key(loop_name: str, retraining: str) -> str:
    """Return where the gate of a Retraining leaves its verdict.

    >>> key("ads-ctr", "ads-ctr-3")
    'retrainings/ads-ctr/ads-ctr-3/verdict.json'
    """
    return f"retrainings/{loop_name}/{retraining}/verdict.json"


def failed(loop_name: str, retraining: str, back: Returned) -> tuple[str, bytes]:
    """Return where a step that stops the run leaves that it did, and what: why the loop goes back.

    >>> from driftloop.stages.rules import RULES
    >>> told = failed("ads-ctr", "ads-ctr-3", RULES["contract_broken"].returned("No rows."))
    >>> read(told[1]).verdict, read(told[1]).returned[0].rule
    ('failed', 'contract_broken')
    """
    record = {
        "retraining": retraining,
        "verdict": "failed",
        "version": "",
        "data_end": None,
        "reasons": [back.reason],
        carried.KEY: [back.to_data()],
    }
    return key(loop_name, retraining), json.dumps(record).encode()


def read(content: bytes) -> Outcome:
    """Return the outcome that the gate wrote; raise InvalidInput for anything else.

    A step that stops the run may write one as well: ``failed``, of no version and no data.
    """
    try:
        record: dict[str, Any] = json.loads(content)
        ends = record["data_end"]
        data_end = None if ends is None else times.from_text(ends)
        told = record.get("predicted")
        predicted = None if told is None else float(told)
        reasons = tuple(record["reasons"])
        told = record["verdict"], record["version"], data_end, reasons, predicted
        said = record.get("cutoff")
        cutoff = times.from_text(said) if said else None
        judged_by = str(record.get("cause", "")), max(0, int(record.get("needed", 0)))
        return Outcome(*told, carried.of(record), cutoff, carried.warnings(record), *judged_by)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise InvalidInput("verdict.json", "the object store", "a verdict", str(error)) from error
