"""The plots' geometry: what is where, and that labels do not meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.report import axis, drift_plot, heat, kpi_plot, record, version_plot, wording
from driftloop.report.frame import SLIM, SLIM_FULL, WIDE, Frame, Mark, grid, lane
from driftloop.report.record import Reading, Run

START = datetime(2012, 6, 30, tzinfo=UTC)
Found = tuple[dict[str, Any], list[dict[str, Any]]]
TEXT = re.compile(r'<text class="(\S+)" x="(\S+)" y="(\S+)" text-anchor="(\w+)">([^<]*)<')


@pytest.fixture
def run(found: Found) -> Run:
    return record.read(*found)


def reading(day: int, effect: float = 0.02, shift: bool = False, fault: str = "") -> Reading:
    start = START + timedelta(days=day)
    end = start + timedelta(days=1)
    return Reading("x", start, end, "0001", 1000, 0, effect, 0.1, 0.5, shift, fault)


def labels(svg: str) -> Iterator[tuple[float, float, float]]:
    """Yield each label's row and its pixels from left to right."""
    for _, x, y, anchor, text in TEXT.findall(svg):
        size = wording.width(text)
        left = float(x) - {"start": 0.0, "middle": size / 2, "end": size}[anchor]
        yield float(y), left, left + size


def collisions(svg: str) -> list[tuple[float, float]]:
    ordered = sorted(labels(svg))
    pairs = zip(ordered, ordered[1:], strict=False)
    return [(a[0], b[1]) for a, b in pairs if a[0] == b[0] and b[1] < a[2]]


@pytest.mark.parametrize("frame", [WIDE, SLIM, SLIM_FULL], ids=["wide", "slim", "slim full"])
def test_no_two_labels_of_a_row_overlap(run: Run, frame: Frame) -> None:
    drawn = (
        kpi_plot.draw(run, frame, "gain (ratio)"),
        drift_plot.draw(run, frame),
        version_plot.draw(run, frame),
    )
    assert [collisions(svg) for svg in drawn] == [[], [], []]
    assert all(len(list(labels(svg))) > 8 for svg in drawn)


@pytest.mark.parametrize("days", [1, 2, 3, 5, 9, 30, 90, 400, 4000])
@pytest.mark.parametrize("frame", [WIDE, SLIM, SLIM_FULL], ids=["wide", "slim", "slim full"])
def test_dates_of_any_span_stand_apart_and_inside(days: int, frame: Frame) -> None:
    time = axis.TimeAxis(START, START + timedelta(days=days), frame.left, frame.edge)
    drawn = "".join(grid(time, 0.0, 100.0))
    assert collisions(drawn) == []
    assert len(list(labels(drawn))) >= 2
    assert all(left >= 0 and right <= frame.width + 12 for _, left, right in labels(drawn))


def test_a_window_that_fired_is_outlined_once_a_run(run: Run) -> None:
    # The season, the campaign in two features, the late feature and the fault.
    assert drift_plot.draw(run, WIDE).count('class="fired"') == 5


def test_neighbouring_cells_share_an_outline() -> None:
    found = heat.cells([reading(d, shift=d in (2, 3, 7)) for d in range(10)], 100)["x"]
    days = [((a - START).days, (b - START).days) for a, b in heat.runs(found)]
    assert days == [(2, 4), (7, 8)]


@given(st.integers(1, 400), st.integers(1, 120))
def test_merged_cells_keep_their_limit_and_every_window(count: int, limit: int) -> None:
    found = heat.cells([reading(day) for day in range(count)], limit)["x"]
    assert len(found) <= limit
    assert sum(cell.windows for cell in found) == count


def test_a_merged_cell_shows_its_worst_window() -> None:
    days = [reading(0, 0.09), reading(1, 0.35, shift=True), reading(2, 0.0, fault="missing")]
    merged = heat.cells(days[:2], 1)["x"][0]
    assert (merged.style, merged.shift) == ("heat-6", True)
    assert merged.title.startswith("worst of 2 windows: x, 2012-07-01")
    assert heat.cells(days, 1)["x"][0].style == "fault"


@pytest.mark.parametrize(
    ("effect", "style"), [(0.0, "heat-0"), (0.099, "heat-3"), (0.1, "heat-4"), (0.9, "heat-7")]
)
def test_the_hue_changes_at_the_threshold(effect: float, style: str) -> None:
    assert heat.cells([reading(0, effect)], 10)["x"][0].style == style


def test_a_version_serves_until_the_next_one(run: Run) -> None:
    ends = [version.end for version in run.versions]
    assert [version.start for version in run.versions][1:] == ends[:-1]
    assert ends[-1] == run.last
    assert len(run.versions) == 9


def test_one_odd_cohort_does_not_stretch_the_axis(run: Run) -> None:
    values = [cohort.value for cohort in run.cohorts]
    low, high = kpi_plot.extent(values)
    assert min(values) < low < high
    assert kpi_plot.draw(run, WIDE, "gain").count("raw outside") == sum(
        not low <= value <= high for value in values
    )


def test_missing_cohorts_interrupt_the_line(found: Found) -> None:
    summary, events = found
    gone = [
        e
        for e in events
        if not (e["type"].endswith("cohort.scored.v1") and "2012-09" in e["data"]["start"])
    ]
    whole, cut = record.read(summary, events), record.read(summary, gone)
    assert kpi_plot.draw(whole, WIDE, "gain").count("<polyline") == 1
    assert kpi_plot.draw(cut, WIDE, "gain").count("<polyline") == 2


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_few_and_within(low: float, size: float) -> None:
    found = axis.ticks(low, low + size)
    slack = size * 1e-6
    assert 2 <= len(found) <= 7
    assert all(low - slack <= value <= low + size + slack for value, _ in found)


@given(st.integers(1, 365 * 30 * 24), st.sampled_from([330.0, 814.0]))
def test_dates_have_room(hours: int, pixels: float) -> None:
    found = axis.TimeAxis(START, START + timedelta(hours=hours), 0.0, pixels)
    dates = found.dates()
    places = [found(time) for time, _ in dates]
    gaps = [b - a for a, b in zip(places, places[1:], strict=False)]
    assert len({label for _, label in dates}) >= (1 if hours > 1 else 0)
    assert all(gap >= 0.85 * axis.LABEL for gap in gaps)


@given(st.lists(st.integers(0, 274), min_size=1, max_size=30))
def test_a_lane_of_any_marks_keeps_its_labels_apart(days: list[int]) -> None:
    time = axis.TimeAxis(START, START + timedelta(days=275), 150.0, 964.0)
    marks = [Mark(START + timedelta(days=day), "held", "rejected", "") for day in days]
    drawn = "".join(lane(marks, time, 10.0))
    assert drawn.count("<path") == len(days)
    assert collisions(drawn) == []
