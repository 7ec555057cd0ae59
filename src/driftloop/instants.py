"""Instants: moments of event time as whole microseconds since 1970, and what must carry a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop_contracts.errors import InvalidInput

Micros = NDArray[np.int64]
"""Microseconds: since 1970 for a moment, else a length of time."""

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(time: datetime) -> pd.Timestamp:
    """Return the cut-off ``time`` in UTC; raise InvalidInput where it has no zone.

    >>> utc(datetime.fromisoformat("2026-01-01T01:00+01:00"))
    Timestamp('2026-01-01 00:00:00+0000', tz='UTC')
    """
    if time.tzinfo is None:
        raise InvalidInput("the cut-off", "a join of labels", "a time with its zone", str(time))
    return pd.Timestamp(time).tz_convert("UTC").as_unit("us")


def column(frame: pd.DataFrame, name: str, where: str) -> pd.Series[pd.Timestamp]:
    """Return the times in ``frame[name]`` in microseconds; raise InvalidInput without a zone."""
    times = frame[name]
    if times.isna().all():  # A column without one time has no type to check.
        return pd.Series(pd.NaT, times.index, dtype="datetime64[us, UTC]")
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise InvalidInput(f"column '{name}'", where, "times with their zone", str(times.dtype))
    exact: pd.Series[pd.Timestamp] = times.dt.as_unit("us")
    return exact


def micros(times: pd.Series[pd.Timestamp] | pd.Series[pd.Timedelta]) -> Micros:
    """Return ``times``, of that unit and none of them missing, as whole numbers."""
    return np.asarray(times.astype("int64"), "int64")


def length(duration: timedelta) -> int:
    """Return ``duration`` in microseconds.

    >>> length(timedelta(seconds=1))
    1000000
    """
    return duration // MICROSECOND


def since_epoch(moment: datetime) -> int:
    """Return ``moment`` in microseconds since 1970; UTC where it has no zone.

    >>> since_epoch(datetime(1970, 1, 1, 0, 0, 1))
    1000000
    """
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return length(aware - EPOCH)


def moment(microseconds: int) -> datetime:
    """Return the moment so many microseconds after 1970.

    >>> moment(1_000_000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return EPOCH + microseconds * MICROSECOND
