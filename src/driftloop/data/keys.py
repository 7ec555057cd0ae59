"""Keys: which share of a source's rows name a row of another source that is there."""

from __future__ import annotations

import pandas as pd

from driftloop.data.finding import Finding
from driftloop.spec.contract import Refers


def judge(rows: pd.DataFrame, others: pd.DataFrame, promise: Refers, source: str) -> Finding:
    """Return whether enough of the rows that have a key find it among ``others``.

    >>> ads = pd.DataFrame({"ad": [1, 2]})
    >>> clicks = pd.DataFrame({"ad": [1, 1, 3, None]})
    >>> print(judge(clicks, ads, Refers(columns=("ad",), source="ads"), "clicks").sentence)
    Of 3 rows of clicks with ad, 66.67% are found in ads; 99.00% are promised.
    """
    own = rows[list(promise.columns)].dropna()
    known = others[list(promise.key)].dropna().drop_duplicates()
    share = float(_found(own, known).mean()) if len(own) else 1.0
    sentence = (
        f"Of {len(own)} rows of {source} with {', '.join(promise.columns)}, {share:.2%} are found "
        f"in {promise.source}; {promise.min_found:.2%} are promised.{_types(own, known, share)}"
    )
    return Finding(
        source,
        "refers",
        sentence,
        share,
        promise.min_found,
        share < promise.min_found,
        ", ".join(promise.columns),
    )


def _found(own: pd.DataFrame, known: pd.DataFrame) -> pd.Series[bool]:
    if len(own.columns) == 1:
        return own.iloc[:, 0].isin(known.iloc[:, 0])
    inside = pd.MultiIndex.from_frame(own).isin(pd.MultiIndex.from_frame(known))
    return pd.Series(inside, own.index)


def _types(own: pd.DataFrame, known: pd.DataFrame, share: float) -> str:
    """Return that the keys are of other types, where that may be why none is found."""
    mine, theirs = ([str(kind) for kind in frame.dtypes] for frame in (own, known))
    differ = not share and len(own) and mine != theirs
    return f" Their types differ: {', '.join(mine)} and {', '.join(theirs)}." if differ else ""
