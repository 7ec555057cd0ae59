"""Promises: whether a training's rows keep the contract of the source that they are from."""

from __future__ import annotations

import pandas as pd

from driftloop.data import contract
from driftloop.data.contract import Checked
from driftloop.loop import LearningLoop
from driftloop.training.order import Order
from driftloop_contracts.errors import RunFailed

SOURCE = "DRIFTLOOP_SOURCE"
"""The variable that says which source the rows are from; else it is the loop's first."""


def check(rows: pd.DataFrame, loop: LearningLoop, order: Order, source: str) -> Checked | None:
    """Return what ``rows``, without quarantined ones, come to; None without a contract.

    Raise RunFailed where it is broken and stops a training by ``onBreak``.
    """
    own = loop.spec.data.read_from(source)
    if own.contract is None:
        return None
    # Of quarantined days not all rows are here.
    changed = {"volume": None, "freshness": None} if order.quarantine else {}
    promised = own.contract.model_copy(update=changed)
    # Labelled rows end where labels are mature: that their source is late is not said by that.
    now = order.cutoff - loop.spec.label_source.maturity
    found = contract.check(rows, promised, now, own.name)
    back = found.returned()
    if back and promised.on_break == "stop":
        raise RunFailed(back.reason)
    return found
