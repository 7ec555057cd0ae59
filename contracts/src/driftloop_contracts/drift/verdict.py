"""Verdict: the rule for one feature of one window, the same beside a predictor and for a loop.

    shift  when, for one of the feature's tests,  p < level  and  effect >= minimum effect
    fault  when more values are missing or out of range than the contract allows, or a feature
           that always varied in the reference stands still

The tests: the values (Kolmogorov-Smirnov or chi-square, with Berk-Jones), the share of missing
values, and for a categorical feature the share of categories that the reference lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from driftloop_contracts.drift import evidence
from driftloop_contracts.drift.evidence import Evidence
from driftloop_contracts.drift.finding import Finding, Test
from driftloop_contracts.drift.observed import Observed, Rule
from driftloop_contracts.drift.tally import Tally

FALSE_DISCOVERIES = 0.05
"""Expected share of false ones among the features to look at (Benjamini and Hochberg, 1995)."""


def judge(observed: Observed, level: float, min_rows: int) -> Finding:
    """Return what one feature shows; ``min_rows``: of a window in which it may stand still."""
    rule, tally = observed.rule, observed.tally
    tests = tuple(_test(name, one, level, rule) for name, one in _evidence(rule, tally))
    leading = min(tests, key=lambda test: (not test.shift, test.p_value * test.shift))
    return Finding(
        name=rule.name,
        kind=rule.kind,
        total=tally.weight,
        n=tally.weight - tally.missing,
        missing=tally.missing,
        out_of_range=observed.out_of_range,
        statistic=leading.statistic,
        p_value=leading.p_value,
        effect=leading.effect,
        threshold=rule.min_effect,
        level=level,
        shift=leading.shift,
        fault=_fault(observed, min_rows),
        tests=tests,
    )


def judge_all(features: Sequence[Observed], level: float, min_rows: int) -> list[Finding]:
    """Return one finding a feature, with those to look at marked."""
    findings = [judge(observed, level, min_rows) for observed in features]
    marked = suspects([min(test.p_value for test in f.tests) for f in findings])
    return [replace(f, suspect=suspect) for f, suspect in zip(findings, marked, strict=True)]


def suspects(p_values: Sequence[float], share: float = FALSE_DISCOVERIES) -> list[bool]:
    """Return which p-values stand out at a false discovery rate of ``share``.

    Source: Benjamini and Hochberg (1995).

    >>> suspects([0.001, 0.02, 0.9])
    [True, True, False]
    """
    p = np.asarray(p_values)
    ranks = np.arange(1, len(p) + 1)
    passing = np.sort(p) <= share * ranks / max(1, len(p))
    last = np.sort(p)[passing].max() if passing.any() else -1.0
    return [bool(value <= last) for value in p]


def _evidence(rule: Rule, tally: Tally) -> list[tuple[str, Evidence]]:
    missing = ("missing", evidence.of_missing(tally, rule.missing_design_effect))
    if rule.kind == "numeric":
        return [("values", evidence.of_numbers(tally, rule.design_effect)), missing]
    unseen = ("unseen", evidence.of_unseen(tally, rule.design_effect))
    return [("values", evidence.of_categories(tally, rule.design_effect)), missing, unseen]


def _test(name: str, found: Evidence, level: float, rule: Rule) -> Test:
    shift = found.p_value < level and found.effect >= rule.min_effect
    return Test(name, found.statistic, found.p_value, found.effect, shift)


def _fault(observed: Observed, min_rows: int) -> str:
    rule, tally = observed.rule, observed.tally
    allowed = rule.max_missing * tally.weight
    # Sums of weights: a millionth of a row is no excess.
    if tally.missing > allowed + 1e-6:
        return "missing"
    if observed.out_of_range > allowed + 1e-6:
        return "out_of_range"
    if rule.varies and observed.only and tally.rows >= min_rows:
        return "stands_still"
    return ""
