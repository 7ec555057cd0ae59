"""Schema: a contract's columns as a pandera schema, and why rows do not fit it.

pandera is imported when a contract is checked: it takes most of a second, and a loop without
contracts does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from driftloop.spec.contract import Contract, Promised

Test = Callable[[Any], Any]


def absent(frame: pd.DataFrame, contract: Contract) -> list[str]:
    """Return the promised columns that the frame lacks."""
    return [column.name for column in contract.columns if column.name not in frame]


def reasons(frame: pd.DataFrame, contract: Contract) -> pd.Series[str]:
    """Return why each row does not fit, '' where it does; its first fault is told.

    A missing value fits: whether they are too many is asked of the whole column.
    """
    import pandera.pandas as pandera

    rows = frame.reset_index(drop=True)
    own = [column for column in contract.columns if column.name in rows]
    columns = {column.name: pandera.Column(None, _checks(column), nullable=True) for column in own}
    found = pd.Series("", rows.index, dtype=object)
    try:
        pandera.DataFrameSchema(columns).validate(rows, lazy=True)
    except pandera.errors.SchemaErrors as error:
        faults = error.failure_cases.dropna(subset="index")
        first = faults.drop_duplicates("index")
        found[first["index"].astype("int64")] = first["check"].to_numpy()
    return pd.Series(_with_doubles(found, rows, contract).to_numpy(), frame.index)


def _with_doubles(found: pd.Series[str], rows: pd.DataFrame, contract: Contract) -> pd.Series[str]:
    """Return the reasons, with that of rows whose key came before: pandera takes minutes there."""
    if not contract.key or not set(contract.key) <= set(rows):
        return found
    again = rows.duplicated(list(contract.key)) & (found == "")
    return found.mask(again, f"the key {', '.join(contract.key)} is there twice")


def _checks(column: Promised) -> list[Any]:
    import pandera.pandas as pandera

    return [pandera.Check(test, error=reason) for reason, test in _tests(column)]


def _tests(column: Promised) -> Iterator[tuple[str, Test]]:
    name, (low, high) = column.name, column.range
    if column.kind == "time":
        yield f"{name} is no time with its zone", _has_zone
    if column.kind == "numeric":
        yield f"{name} is no number", lambda values: np.isfinite(numbers(values))
        if low is not None:
            yield f"{name} below {low:g}", lambda values: ~(numbers(values) < low)
        if high is not None:
            yield f"{name} above {high:g}", lambda values: ~(numbers(values) > high)
    if column.values:
        allowed = set(column.values)
        yield f"{name} is none of its values", lambda values: values.astype(str).isin(allowed)


def numbers(values: pd.Series[Any]) -> pd.Series[float]:
    """Return values as numbers, NaN for what is none."""
    found: pd.Series[float] = pd.to_numeric(values, errors="coerce").astype("float64")
    return found


def _has_zone(values: pd.Series[Any]) -> pd.Series[bool]:
    return pd.Series(isinstance(values.dtype, pd.DatetimeTZDtype), values.index)
