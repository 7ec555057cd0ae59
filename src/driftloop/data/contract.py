"""Contract: whether a source's rows keep what it promises, and which of them do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from driftloop import instants
from driftloop.data import freshness, keys, schema, volume
from driftloop.data.finding import Finding
from driftloop.spec.contract import Contract, Promised
from driftloop.spec.data import Data
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES


@dataclass(frozen=True)
class Checked:
    """What a source's rows come to.

    ``good``: the rows that keep the contract, in order; ``rejected``: the others, each with its
    ``reason``; ``findings``: of every rule that could be asked, broken or kept.
    """

    source: str
    good: pd.DataFrame
    rejected: pd.DataFrame
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """Return the findings of rules that do not hold."""
        return tuple(found for found in self.findings if found.broken)

    def returned(self) -> Returned | None:
        """Return that the loop goes back, with a sentence for each broken rule."""
        said = " ".join(found.sentence for found in self.broken)
        return RULES["contract_broken"].returned(said) if said else None

    def to_data(self) -> dict[str, Any]:
        """Return what was found, as JSON data, without the rows."""
        back = self.returned()
        return {
            "source": self.source,
            "rows": len(self.good),
            "rejected": len(self.rejected),
            "findings": [found.to_data() for found in self.findings],
            "returned": [back.to_data()] if back else [],
        }


def check(
    frame: pd.DataFrame,
    contract: Contract,
    now: datetime,
    source: str = "the source",
    others: Mapping[str, pd.DataFrame] | None = None,
) -> Checked:
    """Return what ``frame`` comes to at ``now``; a row from later is a bad row.

    ``others``: rows of the sources that it refers to; what is not among them is not asked.
    """
    if frame.empty:
        nothing = Finding(source, "rows", f"{source} has no row.", 0, 1, broken=True)
        return Checked(source, frame, frame.assign(reason=pd.Series(dtype=str)), (nothing,))
    reason = _reasons(frame, contract, now)
    bad = reason != ""
    good, rejected = frame[~bad], frame[bad].assign(reason=reason[bad])
    found = [
        *_absent(frame, contract, source),
        _bad_rows(rejected, len(frame), contract, source),
        *_missing(frame, contract, source),
        *_over_time(good, contract, now, source),
        *_refers(good, contract, source, others or {}),
    ]
    return Checked(source, good.reset_index(drop=True), rejected, tuple(found))


def check_all(frames: Mapping[str, pd.DataFrame], data: Data, now: datetime) -> dict[str, Checked]:
    """Return what each source with a contract comes to, those without rows among ``frames`` too."""
    return {
        source.name: check(
            frames.get(source.name, pd.DataFrame()), source.contract, now, source.name, frames
        )
        for source in data.sources
        if source.contract
    }


def _reasons(frame: pd.DataFrame, contract: Contract, now: datetime) -> pd.Series[str]:
    reason = schema.reasons(frame, contract)
    if _has_times(frame, contract):
        later = (frame[contract.time] > instants.utc(now)) & (reason == "")
        reason = reason.mask(later, f"{contract.time} later than now")
    return reason


def _has_times(frame: pd.DataFrame, contract: Contract) -> bool:
    times = frame.get(contract.time)
    return times is not None and isinstance(times.dtype, pd.DatetimeTZDtype)


def _absent(frame: pd.DataFrame, contract: Contract, source: str) -> Iterator[Finding]:
    for name in schema.absent(frame, contract):
        yield Finding(source, "column", f"{source} lacks column {name}.", 0, 1, True, name)


def _bad_rows(rejected: pd.DataFrame, total: int, contract: Contract, source: str) -> Finding:
    share, allowed = len(rejected) / total, contract.max_bad
    mostly = f", mostly: {rejected['reason'].mode()[0]}" if len(rejected) else ""
    sentence = (
        f"Of {total} rows of {source} {len(rejected)} are set aside ({share:.2%}){mostly}; "
        f"{allowed:.2%} are allowed."
    )
    return Finding(source, "bad_rows", sentence, share, allowed, share > allowed)


def _missing(frame: pd.DataFrame, contract: Contract, source: str) -> Iterator[Finding]:
    for column in contract.columns:
        if column.name in frame:
            yield _missing_of(frame[column.name], column, source)


def _missing_of(values: pd.Series[Any], column: Promised, source: str) -> Finding:
    share, allowed = float(values.isna().mean()), column.max_missing
    sentence = (
        f"{column.name} is missing in {share:.2%} of the rows of {source}; {allowed:.2%} are "
        "allowed."
    )
    return Finding(source, "missing", sentence, share, allowed, share > allowed, column.name)


def _over_time(
    good: pd.DataFrame, contract: Contract, now: datetime, source: str
) -> Iterator[Finding]:
    if good.empty or not _has_times(good, contract):
        return
    times = good[contract.time].dropna()
    if contract.freshness is not None and len(times):
        yield freshness.judge(times, now, contract.freshness, source)
    found = volume.judge(times, now, contract.volume, source) if contract.volume else None
    if found is not None:
        yield found


def _refers(
    good: pd.DataFrame, contract: Contract, source: str, others: Mapping[str, pd.DataFrame]
) -> Iterator[Finding]:
    for promise in contract.refers:
        other = others.get(promise.source)
        named = {*promise.columns} <= {*good.columns}
        if other is not None and named and {*promise.key} <= {*other.columns}:
            yield keys.judge(good, other, promise, source)
