"""Level: from "so many false alarms per period" to the level of one test.

With a budget of B alarms per period T, a window of length w and m tests on it,

    alpha_window = 1 - exp(-B w / T)          a Poisson stream of false alarms at rate B / T
    alpha_test   = 1 - (1 - alpha_window)^(1/m)                                (Sidak, 1967)

The level follows from the window's own length, so a window that waited longer for its rows may
be judged by a higher one and the rate in time stays B / T however traffic varies. Replicas do
not count: their tallies are added before anything is judged.

Assumptions: the tests of one window are independent or positively dependent; a tally is worth
the number of independent rows that effective.py says. The demand on the effect size can only
lower the rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

JOINT = 1
"""Tests of a window beside those of single features: the one on joint changes."""
OUTCOMES = 2
"""Tests of mature records: the rate of their outcomes, and its relation to the predictions."""


class Tested(Protocol):
    """A feature's rule, of which only the number of its tests matters here."""

    @property
    def tests(self) -> int:
        """Return how many tests the feature takes."""


def of_window(alarms_per_second: float, window_seconds: float, rules: Iterable[Tested]) -> float:
    """Return the level of every test on a window of these features."""
    return of_test(alarms_per_second, window_seconds, tests_of(rules))


def tests_of(rules: Iterable[Tested]) -> int:
    """Return how many tests a loop's budget is shared by."""
    return sum(rule.tests for rule in rules) + JOINT + OUTCOMES


def shared(tests: int, slices: int) -> tuple[int, int]:
    """Return by how many tests a window's level is divided for all outcomes, and for a slice's.

    Outcomes have the level of two of ``tests``. Where they are followed by slice the whole has
    half of it, and S slices share the other half alike,

        whole     2 tests as of 2 T on a window        T: tests on any window of the loop
        a slice   2 tests as of 2 S T

    which adds up to two as of T (Sidak; to first order Bonferroni, so slices may depend on
    each other).

    >>> shared(10, 0), shared(10, 5)
    ((10, 0), (20, 100))
    """
    return (2 * tests, 2 * tests * slices) if slices else (tests, 0)


def of_test(alarms_per_second: float, window_seconds: float, tests: int) -> float:
    """Return the significance level of one of ``tests`` tests on one window.

    >>> round(of_test(1 / (90 * 86400), 86400, 10), 5)
    0.00111
    """
    per_window = -math.expm1(-alarms_per_second * window_seconds)
    if per_window >= 1:
        return 1.0
    return -math.expm1(math.log1p(-per_window) / tests)
