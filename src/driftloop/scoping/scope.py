"""Scope: charter, inventory, curves, rule and verdict of one use case, from labelled rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import numbers
from driftloop.evaluation.difference import Interval
from driftloop.loop import LearningLoop, LoopSpec
from driftloop.scoping import class_rule, cost_curve, gain, learning_curve, reach, target, verdict
from driftloop.scoping import rule as rules
from driftloop.scoping.bottleneck import Bottleneck
from driftloop.scoping.cost_curve import CostCurve
from driftloop.scoping.inventory import Inventory
from driftloop.scoping.learning_curve import LearningCurve
from driftloop.scoping.reach import Check, Plan
from driftloop.scoping.rule import Judged
from driftloop.scoping.sample_run import SampleRun
from driftloop.scoping.verdict import Evidence, Verdict
from driftloop_contracts.errors import InvalidInput

TENFOLD = 10


@dataclass(frozen=True)
class Estimates:
    """What a sample run says: its curves, of loss, CPU seconds of a fit and bytes at its peak."""

    runs: pd.DataFrame
    skipped: int
    loss: LearningCurve
    seconds: CostCurve
    memory: CostCurve

    def to_data(self) -> dict[str, Any]:
        """Return the estimates as JSON has them."""
        return {
            "runs": self.runs.to_dict("records"),
            "skipped": self.skipped,
            "learning_curve": self.loss.to_data(),
            "seconds": self.seconds.to_data(),
            "memory": self.memory.to_data(),
        }


@dataclass(frozen=True)
class Scope:
    """All that was found of a use case; ``estimates`` and what follows are None without rows.

    ``rules``: the best first; ``rows``: labelled ones a training would have now; ``target``: the
    loss to reach.
    """

    loop: LearningLoop
    verdict: Verdict
    inventory: Inventory
    bottleneck: Bottleneck | None = None
    rules: tuple[Judged, ...] = ()
    estimates: Estimates | None = None
    gain: Interval | None = None
    checks: tuple[Check, ...] = ()
    rows: int = 0
    target: float | None = None

    def to_data(self) -> dict[str, Any]:
        """Return the finding as scope.json has it."""
        spec = self.loop.spec
        return {
            "loop": self.loop.name,
            "charter": spec.charter.model_dump(mode="json", by_alias=True, exclude_none=True),
            "framing": spec.scoping.model_dump(mode="json", by_alias=True, exclude_none=True),
            "verdict": self.verdict.to_data(),
            "inventory": self.inventory.to_data(),
            "bottleneck": self.bottleneck.to_data() if self.bottleneck else None,
            "rules": [one.to_data() for one in self.rules],
            "estimates": self.estimates.to_data() if self.estimates else None,
            "gain": list(self.gain) if self.gain else None,
            "checks": [check.to_data() for check in self.checks],
            "rows": self.rows,
            "target": self.target,
        }


def estimates(
    found: SampleRun, error: Callable[[Any], float], rng: np.random.Generator
) -> Estimates:
    """Return the curves through a sample run.

    ``error``: from each judging row's loss to the standard error that all runs share.
    """
    frame = found.frame
    shared = 0.0 if found.largest is None else error(found.largest)
    share = frame["rows"] / found.early
    loss = learning_curve.fit(frame["rows"], frame["loss"], rng, share=share, shared_error=shared)
    costs = [cost_curve.fit(frame["rows"], frame[name], rng) for name in ("seconds", "memory")]
    return Estimates(frame, found.skipped, loss, *costs)


def scope(
    loop: LearningLoop,
    inventory: Inventory,
    parts: tuple[pd.DataFrame, pd.DataFrame],
    run: Callable[[], SampleRun],
    *,
    bottleneck: Bottleneck | None,
    given: Mapping[str, rules.Predict],
    rng: np.random.Generator,
) -> Scope:
    """Return what is found of ``loop``.

    ``parts``: the labelled rows before the hold-out and those in it, with the model's columns;
    ``run``: gives a sample run on them, not called where a verdict needs none; ``given``: the use
    case's own rules.
    """
    early, late = parts
    # Of very many rows only the newest are joined, and a training takes them all.
    rows = max(inventory.labels, len(early) + len(late))
    known = _evidence(loop, parts, rows, bottleneck)
    first = verdict.verdict(Evidence(**known))
    unfit = {"not measurable", "too few labels"}
    if first.condition in unfit or early.empty or late.empty:
        return Scope(loop, first, inventory, bottleneck, rows=rows)
    spec, entity = loop.spec, loop.spec.gate.entity
    judged = tuple(_judged(spec, early, late, given))
    sampled = run()

    def error(lost: Any) -> float:
        return target.error(spec.charter.target, spec.objective.kpi, lost, late, entity, rng)

    curves = estimates(sampled, error, rng)
    aim = _aim(spec, judged[0], late)
    checks = reach.checks(_plan(spec, rows, aim), curves.loss, curves.seconds, curves.memory)
    assert sampled.largest is not None
    gained = gain.gain(
        sampled.largest,
        judged[0].losses,
        late["weight"],
        late[entity],
        rng,
        curve=curves.loss,
        rows=(sampled.largest_rows, rows),
    )
    reached, either_side = judged[0].loss, 1.96 * error(judged[0].losses)
    rule_loss = Interval(reached - either_side, reached, reached + either_side)
    evidence = known | {
        "rule": judged[0].rule.name,
        "rule_loss": rule_loss,
        "target": aim,
        "gain": gained,
        "checks": checks,
    }
    said = verdict.verdict(Evidence(**evidence))
    return Scope(loop, said, inventory, bottleneck, judged, curves, gained, checks, rows, aim)


def least_gain(spec: LoopSpec) -> float:
    """Return the relative gain from which ML is worth its cost.

    The cost over what each percent brings, where both are said, else ``scoping.leastGain``.
    """
    worth, cost = spec.scoping.percent_worth, spec.charter.budget.cost
    if worth is None or cost is None:
        return spec.scoping.least_gain
    return cost.per_second / worth.per_second / 100


def _evidence(
    loop: LearningLoop,
    parts: tuple[pd.DataFrame, pd.DataFrame],
    rows: int,
    bottleneck: Bottleneck | None,
) -> dict[str, Any]:
    spec, framing = loop.spec, loop.spec.scoping
    positives = sum(float(part["positives"].sum()) for part in parts)
    shown = sum(float(part["weight"].sum()) for part in parts)
    return {
        "wish": framing.wish,
        "claimed": framing.bottleneck.step,
        "bottleneck": bottleneck,
        "predicted_minutes": framing.bottleneck.minutes,
        "input": framing.input,
        "output": framing.output,
        "objective": framing.objective or f"{spec.objective.direction} {spec.objective.metric}",
        "labels": rows,
        "least_labels": spec.training.min_rows,
        "positives": None if spec.objective.classes else positives,
        "negatives": None if spec.objective.classes else shown - positives,
        "least_gain": least_gain(spec),
    }


def _judged(
    spec: LoopSpec, early: pd.DataFrame, late: pd.DataFrame, given: Mapping[str, rules.Predict]
) -> list[Judged]:
    names, classes = spec.features.names(), spec.objective.classes
    if classes:
        return class_rule.judged(early, late, names, classes, given)
    return rules.judged(early, late, names, given)


def _aim(spec: LoopSpec, best: Judged, late: pd.DataFrame) -> float | None:
    """Return the loss to reach; a KPI of classes has no loss that it rises and falls with."""
    aim = spec.charter.target
    if not spec.objective.classes:
        return target.loss_of(aim, spec.objective.kpi, _numbers(best, late))
    if aim is not None and aim.kpi is not None:
        allowed = "a target of the metric, where the objective has classes"
        raise InvalidInput("charter.target.kpi", "loop.yaml", allowed, aim.kpi)
    return aim.metric if aim else None


def _numbers(best: Judged, late: pd.DataFrame) -> numbers.Numbers:
    """Return the numbers of the judging rows, as a KPI's formula reads them."""
    predicted = best.rule.predict(late)
    return numbers.score(predicted, late["positives"], late["weight"])


def _plan(spec: LoopSpec, rows: int, aim: float | None) -> Plan:
    """Return what the checks are asked of: a training fits each estimator and the best again."""
    allowed, compute = spec.charter.training_budget, spec.charter.budget.compute
    trainings = 1.0
    if allowed is not None and compute is not None:
        trainings = max(1.0, allowed.per_second * compute.period.total_seconds())
    fits = len(spec.training.estimators) + 1
    return Plan(float(rows), spec.charter.budget, trainings, fits, aim)
