"""Contract: whether a source's rows keep what it promises, and which of them do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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
class Judged:
    """What a source's rows come to: findings of every rule that could be asked, broken or kept.

    ``kept``: how many rows keep the contract; ``set_aside``: how many do not.
    """

    source: str
    kept: int
    set_aside: int
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
            "rows": self.kept,
            "rejected": self.set_aside,
            "findings": [found.to_data() for found in self.findings],
            "returned": [back.to_data()] if back else [],
        }


@dataclass(frozen=True)
class Checked(Judged):
    """The same with the rows.

    ``good``: those that keep the contract, in order; ``rejected``: the others, each with its
    ``reason``.
    """

    good: pd.DataFrame
    rejected: pd.DataFrame


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
    taken = Taken(contract, now, source)
    good, rejected = taken.add(frame)
    told = taken.judged()
    known = {} if frame.empty else others or {}  # Of no rows nothing more is asked.
    found = (*told.findings, *_refers(good, contract, source, known))
    return Checked(source, len(good), len(rejected), found, good.reset_index(drop=True), rejected)


class Taken:
    """The rows of a source, taken part by part: what they come to, with no part kept.

    A key that is there twice is found within a part; of other sources nothing is asked.
    """

    def __init__(self, contract: Contract, now: datetime, source: str) -> None:
        self._contract, self._now, self._source = contract, now, source
        self._rows = 0
        self._absent: dict[str, None] = {}
        self.reasons: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._newest: pd.Timestamp | None = None
        self._days: pd.Series[int] | None = None

    def add(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Take a part; return its rows that keep the contract and, with a reason, the others."""
        if frame.empty:
            return frame, frame.assign(reason=pd.Series(dtype=str))
        reason = _reasons(frame, self._contract, self._now)
        bad = reason != ""
        good, rejected = frame[~bad], frame[bad].assign(reason=reason[bad])
        self._rows += len(frame)
        self._absent |= dict.fromkeys(schema.absent(frame, self._contract))
        self.reasons.update(rejected["reason"])
        for column in self._contract.columns:
            if column.name in frame:
                self._missing[column.name] += int(frame[column.name].isna().sum())
        if _has_times(good, self._contract):
            self._take_times(good[self._contract.time].dropna())
        return good, rejected

    def _take_times(self, times: pd.Series[pd.Timestamp]) -> None:
        if times.empty:
            return
        own, newest = volume.by_day(times), times.max()
        self._newest = newest if self._newest is None else max(self._newest, newest)
        self._days = own if self._days is None else self._days.add(own, fill_value=0)

    def judged(self) -> Judged:
        """Return what the rows taken so far come to."""
        source, aside = self._source, self.reasons.total()
        if not self._rows:
            nothing = Finding(source, "rows", f"{source} has no row.", 0, 1, broken=True)
            return Judged(source, 0, 0, (nothing,))
        found = [
            *_absent(self._absent, source),
            _bad_rows(self.reasons, self._rows, self._contract, source),
            *(
                _missing_of(self._missing[column.name] / self._rows, column, source)
                for column in self._contract.columns
                if column.name not in self._absent
            ),
            *self._over_time(),
        ]
        return Judged(source, self._rows - aside, aside, tuple(found))

    def _over_time(self) -> Iterator[Finding]:
        promised, now, source = self._contract, self._now, self._source
        if self._newest is None or self._days is None:
            return
        if promised.freshness is not None:
            yield freshness.judge(pd.Series([self._newest]), now, promised.freshness, source)
        days, wanted = self._days, promised.volume
        found = volume.judge_days(days, now, wanted, source) if wanted else None
        if found is not None:
            yield found


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


def _absent(names: Iterable[str], source: str) -> Iterator[Finding]:
    for name in names:
        yield Finding(source, "column", f"{source} lacks column {name}.", 0, 1, True, name)


def _bad_rows(reasons: Counter[str], total: int, contract: Contract, source: str) -> Finding:
    bad, allowed = reasons.total(), contract.max_bad
    share = bad / total
    most = max(sorted(reasons), key=lambda reason: reasons[reason], default="")
    mostly = f", mostly: {most}" if bad else ""
    sentence = (
        f"Of {total} rows of {source} {bad} are set aside ({share:.2%}){mostly}; "
        f"{allowed:.2%} are allowed."
    )
    return Finding(source, "bad_rows", sentence, share, allowed, share > allowed)


def _missing_of(share: float, column: Promised, source: str) -> Finding:
    allowed = column.max_missing
    sentence = (
        f"{column.name} is missing in {share:.2%} of the rows of {source}; {allowed:.2%} are "
        "allowed."
    )
    return Finding(source, "missing", sentence, share, allowed, share > allowed, column.name)


def _refers(
    good: pd.DataFrame, contract: Contract, source: str, others: Mapping[str, pd.DataFrame]
) -> Iterator[Finding]:
    for promise in contract.refers:
        other = others.get(promise.source)
        named = {*promise.columns} <= {*good.columns}
        if other is not None and named and {*promise.key} <= {*other.columns}:
            yield keys.judge(good, other, promise, source)
