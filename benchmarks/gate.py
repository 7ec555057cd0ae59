"""The gate's error rates on candidates whose worth is known.

    .venv/bin/python benchmarks/gate.py [--seeds 500] [--quick]

50,000 rows with a base rate of 2 %, a margin of 0.5 % of the loss, 20 slices of 5 % of the rows.
Candidates worse by twice the margin, better by the margin, and two that harm a part of the rows by
10 % of its loss: one of the slices, and an eighth that no slice names. How far a candidate is off
is set on 2,000,000 rows of the same kind. Then the same candidates on as many rows as the gate
itself asked for, to see how often it still holds.
Prints a table and last one JSON line with its bars.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special

from driftloop.evaluation import gate, loss
from driftloop.evaluation.gate import Evidence
from driftloop.spec.gate import Gate

ROWS, MARGIN, SLICES, HARM = 50_000, 0.005, 20, 0.10
TRUTH = 2_000_000
INTERCEPT, RATE = -4.45, 0.02
"""With unit variance of the log-odds: a rate of 2 %."""
REGIONS = 8
NAMED, UNNAMED = "harms a slice", "harms what nobody named"

Floats = np.ndarray[Any, np.dtype[np.float64]]


def policy() -> Gate:
    """Return the gate that is measured."""
    return Gate.model_validate(
        {
            "entity": "user",
            "margin": "0.5%",
            "confidence": "95%",
            "resamples": 1000,
            "slices": {"columns": ["segment"], "margin": "10%", "minShare": "2%"},
        }
    )


@dataclass(frozen=True)
class World:
    """Rows: what is known to the champion, what is not, what came, noise and the slice."""

    known: Floats
    hidden: Floats
    came: Floats
    noise: Floats
    segment: Any
    region: Any

    @classmethod
    def drawn(cls, rows: int, rng: np.random.Generator) -> World:
        """Return so many rows."""
        known, hidden, noise = (rng.normal(size=rows) for _ in range(3))
        odds = INTERCEPT + 0.85 * known + 0.35 * hidden
        came = (rng.random(rows) < special.expit(odds)).astype(float)
        segment, region = rng.integers(SLICES, size=rows), rng.integers(REGIONS, size=rows)
        return cls(known, hidden, came, noise, segment, region)

    def champion(self) -> Floats:
        """Return the champion's log-odds: all that can be said without the hidden part."""
        return INTERCEPT + 0.06 + 0.85 * self.known

    def candidate(self, kind: str, size: float) -> Floats:
        """Return the candidate's log-odds, off the champion's by ``size``."""
        if kind == "better":
            return self.champion() + size * self.hidden
        if kind == "worse":
            return self.champion() + size * self.noise
        return self.champion() + np.where(self.harmed(kind), size * self.noise, 0.0)

    def harmed(self, kind: str) -> Any:
        """Return the rows by which a kind of candidate is known."""
        if kind == NAMED:
            return self.segment == 0
        return self.region == 0 if kind == UNNAMED else np.ones(len(self.came), dtype=bool)


def losses(world: World, odds: Floats) -> Floats:
    """Return the loss of each row, in nats."""
    return loss.log_loss(special.expit(odds), world.came, np.ones(len(odds)))


def sized(kind: str, aim: float, world: World) -> float:
    """Return how far off a candidate is whose loss differs by ``aim`` of the champion's."""
    inside = world.harmed(kind)
    usual = losses(world, world.champion())[inside].sum()

    def off(size: float) -> float:
        found = losses(world, world.candidate(kind, size))[inside].sum()
        return float(found / usual - 1 - aim)

    return float(optimize.brentq(off, 0.0, 0.3 if kind == "better" else 3.0, xtol=1e-4))


def evidence(world: World, kind: str, size: float) -> Evidence:
    """Return what the pipeline's evaluation hands to the gate."""
    candidate = losses(world, world.candidate(kind, size))
    scored = pd.DataFrame(
        {
            "user": np.arange(len(world.came)) // 2,
            "positives": world.came,
            "weight": np.ones(len(world.came)),
            "candidate_predicted": special.expit(world.candidate(kind, size)),
            "champion_predicted": special.expit(world.champion()),
            "known": world.known,
            "region": [f"r{number}" for number in world.region],
            "segment": [f"s{number}" for number in world.segment],
            "trivial_loss": losses(world, np.full(len(world.came), special.logit(RATE))),
            "champion_loss": losses(world, world.champion()),
            "candidate_loss": candidate,
            "release_loss": candidate,
        }
    )
    return Evidence(scored, ("known", "region"))


def verdicts(kind: str, size: float, rows: int, seeds: int) -> tuple[Counter[str], list[int]]:
    """Return how often each verdict came, and how many rows were asked for."""
    found, lacking = Counter(), []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        judged = gate.judge(evidence(World.drawn(rows, rng), kind, size), policy(), "drift", rng)
        found[judged.verdict] += 1
        lacking.append(judged.lacking)
    return found, lacking


def bar(name: str, value: float, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<60} {value:>8.3f} {target:<10} {'met' if met else 'MISSED'}", flush=True)
    return {"name": name, "value": value, "unit": "", "target": target, "met": bool(met)}


def main() -> None:
    """Run what the arguments name."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=500)
    options.add_argument("--quick", action="store_true")
    given = options.parse_args()
    seeds = 20 if given.quick else given.seeds
    truth = World.drawn(TRUTH, np.random.default_rng(10**6))
    cases = {"worse": 2 * MARGIN, "better": -MARGIN, NAMED: HARM, UNNAMED: HARM}
    bars = []
    for kind, aim in cases.items():
        size, began = sized(kind, aim, truth), time.perf_counter()
        found, lacking = verdicts(kind, size, ROWS, seeds)
        asked = int(np.quantile(lacking, 0.9))
        print(f"{kind}: {dict(found)}, asks for {asked} more ({time.perf_counter() - began:.0f} s)")
        promoted = found[gate.PROMOTE] / seeds
        if kind == "worse":
            bars.append(
                bar("worse by twice the margin: promoted", promoted, "<= 0.05", promoted <= 0.05)
            )
        elif kind == "better":
            bars.append(bar("better by the margin: promoted", promoted, ">= 0.80", promoted >= 0.8))
        else:
            bars.append(bar(f"{kind}: stopped", 1 - promoted, ">= 0.95", promoted <= 0.05))
        again, _ = verdicts(kind, size, ROWS + asked, max(20, seeds // 5))
        held = again[gate.HOLD] / again.total()
        bars.append(bar(f"{kind}: held on {ROWS + asked} rows", held, "<= 0.15", held <= 0.15))
    print(json.dumps({"benchmark": "gate", "bars": bars}))


if __name__ == "__main__":
    main()
