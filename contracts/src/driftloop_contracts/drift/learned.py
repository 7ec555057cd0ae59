"""Learned: what to expect of a bundle's predictions, from the first windows that it served.

A model's predictions of the rows it was trained on are not like those of rows it never saw
(they follow what happened too closely), so the reference rows cannot say what to expect. They
give what holds all the same: cuts, for any partition is valid, and the design effects. The
shares are learnt while the bundle serves:

    from   windows in which nothing shifts and nothing is broken, neither inputs nor predictions
    until  a week of event time and WINDOWS windows are known; where weekdays are told apart,
           two whole days of a weekday, each weekday by itself
    then   fixed, so that a slow change is not learnt away

Until then there is no verdict (p = 1). A week, because a reference of mornings is none for
evenings, nor one of Mondays for Sundays. It is short, and the tests know it: they compare two
samples, and its rows are counted as the window's are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from driftloop_contracts.drift import distribution, served, verdict
from driftloop_contracts.drift.distribution import DAY, WEEK, Expectation, Stratum
from driftloop_contracts.drift.finding import ANSWERS, Finding
from driftloop_contracts.drift.observed import Observed, number
from driftloop_contracts.drift.served import Served
from driftloop_contracts.drift.tally import Tally

WINDOWS = 4
"""Windows to learn from at least, where weekdays are not told apart."""
DAYS = 2
"""Days of each weekday, and windows with it, to learn from where they are."""


@dataclass(frozen=True)
class Lesson:
    """What is known of one stratum: its rows, and the windows and seconds they are from."""

    stratum: Stratum
    windows: int = 0
    seconds: int = 0


@dataclass(frozen=True)
class Learned:
    """What to expect of a bundle's predictions; ``lessons``: a stratum each, none before any."""

    lessons: tuple[Lesson, ...] = ()

    def knows(self, stratum: int) -> bool:
        """Return whether a stratum is known well enough to judge by, and so is fixed."""
        if not self.lessons:
            return False
        windows, seconds = (DAYS, DAYS * DAY) if len(self.lessons) > 1 else (WINDOWS, WEEK * DAY)
        one = self.lessons[stratum]
        return one.windows >= windows and one.seconds >= seconds

    def judges(self, window: Served) -> bool:
        """Return whether all strata that a window has rows of are known."""
        return all(self.knows(at) for at, one in enumerate(window.strata) if one.weight)

    def observed(self, window: Served) -> Observed:
        """Return a window's predictions beside what to expect of them."""
        whole, usual = window.whole, self._expected(window)
        own = whole.counts, whole.missing, window.rows, whole.weight, whole.square
        tally = Tally(*own, usual.shares, usual.missing, usual.rows)
        return Observed(window.rule, tally, only=window.only)

    def after(
        self, window: Served | None, start: int, end: int, findings: Sequence[Finding], joint: bool
    ) -> Learned:
        """Return what is known after a window of [start, end) seconds with these findings.

        ``joint``: whether its features together shifted.
        """
        if window is None or joint or any(found.shift or found.fault for found in findings):
            return self
        strata, cells = window.shape
        nothing = Lesson(Stratum((0.0,) * cells, 0.0, 0.0, 0.0))
        known = self if self.lessons else Learned((nothing,) * strata)
        took = _seconds(start, end, strata)
        lessons = (
            one if known.knows(at) else _with(one, window.strata[at], took[at])
            for at, one in enumerate(known.lessons)
        )
        return Learned(tuple(lessons))

    def to_data(self) -> dict[str, Any]:
        """Return it as JSON data, to the last digit."""
        return {
            "strata": [
                vars(one.stratum) | {"counts": list(one.stratum.counts)} for one in self.lessons
            ],
            "windows": [one.windows for one in self.lessons],
            "seconds": [one.seconds for one in self.lessons],
        }

    def _expected(self, window: Served) -> Expectation:
        if not self.judges(window):
            return Expectation((0.0,) * window.shape[1], 0.0, 0.0)
        strata = [lesson.stratum for lesson in self.lessons]
        return distribution.expected(strata, [one.weight for one in window.strata])


def from_data(data: Mapping[str, Any] | None) -> Learned:
    """Return what JSON data hold; raise InvalidInput, TypeError, KeyError or ValueError."""
    if data is None or not data["strata"]:
        return Learned()
    strata = served.strata_from(data["strata"])
    counts = zip(strata, data["windows"], data["seconds"], strict=True)
    return Learned(tuple(Lesson(s, int(number(w)), int(number(t))) for s, w, t in counts))


def judge(
    features: Sequence[Observed],
    window: Served | None,
    learned: Learned | None,
    level: float,
    min_rows: int,
) -> list[Finding]:
    """Return one finding a feature, and last one on the predictions where there are any.

    ``learned``: None where nobody learns, as beside one of several replicas. What is
    broken, an input or an answer, moves predictions and chosen classes too, and is no drift: then
    they show no shift.
    """
    every = [*features]
    if window is not None and learned is not None:
        every.append(learned.observed(window))
    findings = verdict.judge_all(every, level, min_rows)
    if not any(found.fault for found in findings):
        return findings
    return [_still(found) if found.name in ANSWERS else found for found in findings]


def _still(found: Finding) -> Finding:
    """Return a finding that shows no shift."""
    tests = tuple(replace(test, shift=False) for test in found.tests)
    return replace(found, shift=False, tests=tests)


def _with(lesson: Lesson, rows: Stratum, seconds: int) -> Lesson:
    took = seconds if rows.weight else 0
    windows = lesson.windows + (took > 0)
    return Lesson(lesson.stratum + rows, windows, lesson.seconds + took)


def _seconds(start: int, end: int, strata: int) -> list[int]:
    """Return the seconds of a window in each stratum."""
    found = [0] * strata
    while start < end:
        stop = min(end, (start // DAY + 1) * DAY)
        found[distribution.weekday(start) % strata] += stop - start
        start = stop
    return found
