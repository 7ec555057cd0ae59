"""Promises: whether a training's rows keep the contract of the source that they are from."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from driftloop.data import contract
from driftloop.data.contract import Checked, Judged, Taken
from driftloop.loop import LearningLoop
from driftloop.spec.contract import Contract
from driftloop.stages.returned import Returned
from driftloop.training.order import Order


def check(rows: pd.DataFrame, loop: LearningLoop, order: Order) -> Checked | None:
    """Return what ``rows``, without quarantined ones, come to; None without a contract.

    They are from the source that the order names, else from that of the loop's trainings.
    What ``stopping`` says is for the caller to act on.
    """
    promised = _promised(loop, order)
    if promised is None:
        return None
    contracted, now, name = promised
    return contract.check(rows, contracted, now, name)


def taken(loop: LearningLoop, order: Order) -> Taken | None:
    """Return what takes such rows part by part, where they are more than the memory holds."""
    promised = _promised(loop, order)
    return None if promised is None else Taken(*promised)


def _promised(loop: LearningLoop, order: Order) -> tuple[Contract, datetime, str] | None:
    """Return what the rows' source promises, by when, and its name; None without a contract."""
    own = loop.spec.data.read_from(order.source)
    if own.contract is None:
        return None
    # Of quarantined days not all rows are here.
    changed = {"volume": None, "freshness": None} if order.quarantine else {}
    promised = own.contract.model_copy(update=changed)
    # Labelled rows end where labels are mature: that their source is late is not said by that.
    now = order.cutoff - loop.spec.label_source.maturity
    return promised, now, own.name


def stopping(found: Judged, loop: LearningLoop) -> Returned | None:
    """Return why a broken contract stops the training; None where it does not, by ``onBreak``."""
    own = loop.spec.data.source(found.source).contract
    return found.returned() if own and own.on_break == "stop" else None
