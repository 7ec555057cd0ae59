"""The join sees no order of arrival and no future, and does what twenty plain lines do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from driftloop.labels.join import Joined, join
from driftloop.spec.data import LabelSource

At, Maker = Callable[[float], pd.Timestamp], Callable[..., pd.DataFrame]
Report = tuple[Any, float, Any, Any, float]
Record = tuple[str, int, float]

IDS = ("a", "b", "c", "d")
# Each id asked once, at an hour; a report's times may lie anywhere or be missing.
RECORDS = st.lists(
    st.tuples(st.sampled_from(IDS), st.integers(0, 8), st.sampled_from([1.0, 3.0])),
    unique_by=lambda record: record[0],
)
REPORT = st.tuples(
    st.sampled_from([*IDS, "nobody", "", None]),
    st.sampled_from([0.0, 1.0, 1.0, 2.0, 4.0, -1.0, float("nan")]),
    st.one_of(st.integers(0, 6), st.none()),
    st.one_of(st.integers(0, 14), st.none()),
    st.sampled_from([0.0, 0.0, 1.0, 2.0, -1.0]),
)
REPORTS = st.lists(REPORT, max_size=14)
CUTOFF = st.integers(0, 16)
SOURCE = st.builds(
    LabelSource,
    name=st.just("click"),
    maturity=st.sampled_from(["0h", "2h", "5h"]),
    absent=st.sampled_from(["unknown", "negative"]),
    completeness=st.sampled_from([None, "20%", "99%"]),
)
FIXED = SOURCE.map(lambda source: source.model_copy(update={"completeness": None}))


def reference(
    records: list[Record], reports: list[Report], source: LabelSource, cutoff: int
) -> dict[str, float]:
    maturity, found = source.maturity.total_seconds() / 3600, {}
    for name, asked, weight in records:
        if asked + maturity > cutoff:
            continue
        best = None
        for of, value, happened, known, revision in reports:
            if of != name or happened is None or known is None:
                continue
            possible = asked <= happened <= known <= cutoff
            if possible and revision >= 0 and 0 <= value <= weight:
                claim = (revision, known, value)
                best = claim if best is None else max(best, claim)
        if best is not None:
            found[name] = best[2]
        elif source.absent == "negative":
            found[name] = 0.0
    return found


def same(one: Joined, other: Joined, but: tuple[str, ...] = ()) -> bool:
    equal = one.rows.equals(other.rows) and one.rejected.equals(other.rejected)
    changed = dict.fromkeys(but, 0)
    first, second = (dataclasses.replace(j.coverage, **changed) for j in (one, other))
    return equal and first == second and one.maturity == other.maturity


@given(RECORDS, REPORTS, FIXED, CUTOFF)
def test_the_join_does_what_plain_python_does(
    asked: Maker, told: Maker, at: At,
    records: list[Record], reports: list[Report], source: LabelSource, cutoff: int,
) -> None:  # fmt: skip
    rows = join(asked(*records), told(*reports), source, at(cutoff)).rows
    found = dict(zip(rows["prediction_id"], rows["positives"], strict=True))
    assert found == reference(records, reports, source, cutoff)
    assert list(found) == [name for name, *_ in records if name in found]


@given(RECORDS, REPORTS, SOURCE, CUTOFF)
def test_every_record_and_every_report_is_accounted_for(
    asked: Maker, told: Maker, at: At,
    records: list[Record], reports: list[Report], source: LabelSource, cutoff: int,
) -> None:  # fmt: skip
    found = join(asked(*records), told(*reports), source, at(cutoff))
    counts = found.coverage
    assert counts.records == sum(asked <= cutoff for _, asked, _ in records)
    parts = counts.immature, counts.labelled, counts.assumed_negative, counts.unknown
    assert counts.records == sum(parts)
    assert len(found.rows) == counts.labelled + counts.assumed_negative
    assert max(counts.late, counts.corrected) <= counts.labelled
    known = [r for r in reports if r[3] is None or r[3] <= cutoff]
    set_aside = sum(counts.rejected.values()) + counts.orphans + counts.duplicates
    assert len(found.rejected) == sum(counts.rejected.values())
    assert counts.labelled + counts.conflicts <= len(known) - set_aside


@given(RECORDS, REPORTS, SOURCE, CUTOFF, st.data())
def test_neither_the_order_of_arrival_nor_a_second_delivery_is_seen(
    asked: Maker, told: Maker, at: At,
    records: list[Record], reports: list[Report], source: LabelSource, cutoff: int, data: Any,
) -> None:  # fmt: skip
    again = data.draw(st.lists(st.sampled_from(reports), max_size=5)) if reports else []
    mixed = data.draw(st.permutations(reports + again))
    frame, now = asked(*records), at(cutoff)
    once = join(frame, told(*reports), source, now)
    assert same(once, join(frame, told(*mixed), source, now), but=("duplicates",))
    shuffled = told(*data.draw(st.permutations(reports)))
    shuffled.index = pd.Index([0] * len(shuffled))
    assert same(once, join(frame, shuffled, source, now))


@given(RECORDS, REPORTS, REPORTS, SOURCE, CUTOFF)
def test_nothing_after_the_cutoff_is_seen(
    asked: Maker, told: Maker, at: At,
    records: list[Record], reports: list[Report], more: list[Report],
    source: LabelSource, cutoff: int,
) -> None:  # fmt: skip
    future = [(of, v, when, cutoff + 1 + (known or 0), n) for of, v, when, known, n in more]
    later = [(f"later {name}", cutoff + 1 + hour, weight) for name, hour, weight in records]
    # Also reports on what was asked after the cut-off are of no record yet.
    odd = [(f"later {of}", v, 0, 0, 0.0) for of, v, *_ in more[:2] if v == 1.0]
    known = told(*reports, *odd)
    now = join(asked(*records), known, source, at(cutoff))
    then = join(asked(*records, *later), told(*reports, *odd, *future), source, at(cutoff))
    assert same(now, then)


@given(RECORDS, REPORTS, FIXED, CUTOFF, CUTOFF)
def test_a_later_cutoff_takes_back_no_label_without_a_report(
    asked: Maker, told: Maker, at: At,
    records: list[Record], reports: list[Report], source: LabelSource, one: int, other: int,
) -> None:  # fmt: skip
    early, late = sorted((one, other))
    frame, all_reports = asked(*records), told(*reports)
    before, after = (
        dict(found.rows[["prediction_id", "positives"]].itertuples(index=False))
        for found in (join(frame, all_reports, source, at(hour)) for hour in (early, late))
    )
    assert before.keys() <= after.keys()
    told_between = {r[0] for r in reports if r[3] is not None and early < r[3] <= late}
    assert {name for name in before if before[name] != after[name]} <= told_between
