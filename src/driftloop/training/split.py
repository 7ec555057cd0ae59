"""Split: the latest rows judge, in order of time."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from driftloop.loop import LearningLoop


def holdout_start(
    times: pd.Series[pd.Timestamp], loop: LearningLoop, onset: datetime | None
) -> pd.Timestamp:
    """Return the instant from which rows judge rather than train.

    Ordinarily the latest share ``training.holdout`` of the rows' span. After a change at
    ``onset`` the later half of what came since, where that is shorter: otherwise the candidate
    that is judged would have seen nothing of the new world.
    """
    first, last = times.min(), times.max()
    start: pd.Timestamp = last - (last - first) * loop.spec.training.holdout
    if onset is not None and pd.Timestamp(onset) < last:
        start = max(start, last - (last - pd.Timestamp(onset)) / 2)
    return start
