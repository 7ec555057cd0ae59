"""Off-policy estimates against the truth: of two real policies, each from the other's log.

    python benchmarks/off_policy.py DATA    DATA: the folder open_bandit_small

The Open Bandit data (Saito et al., 2020) have logged a uniformly random policy and Thompson
sampling at the same time on the same shop. Thompson's value is estimated from the random log, and
the random policy's from Thompson's, and held against what each one's own log gives. Prints a table
and last one JSON line with its bars.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from driftloop.business import off_policy, reward_model
from driftloop.business.off_policy import IPS, SNIPS, Rounds, Value

POSITIONS = 3
METHODS = (IPS, SNIPS, off_policy.DR)


class Judged(NamedTuple):
    """A policy judged from another one's log, and its value by its own."""

    name: str
    log: Rounds
    values: dict[str, Value]
    own: float
    own_error: float


def load(folder: Path, policy: str, campaign: str) -> pd.DataFrame:
    """Return a log's rounds; positions from 0."""
    frame = pd.read_csv(folder / f"{policy}_{campaign}.csv.gz", index_col=0)
    return frame.assign(position=frame["position"] - 1)


def thompson(log: pd.DataFrame, actions: int) -> np.ndarray[Any, Any]:
    """Return how often Thompson's own log shows each item at each position, [position, item].

    Its propensities move with what it learns and do not look at the user; their mean over the week
    is what these shares estimate, from actions alone: no click is in them.
    """
    counts = np.zeros((POSITIONS, actions))
    np.add.at(counts, (log["position"], log["item_id"]), 1.0)
    return counts / counts.sum(axis=1, keepdims=True)


def judge(name: str, log: pd.DataFrame, policy: np.ndarray[Any, Any], own: pd.DataFrame) -> Judged:
    """Return what ``policy`` [position, item] would have earned on the rounds of ``log``."""
    rng = np.random.default_rng(1)
    position, item = log["position"].to_numpy(), log["item_id"].to_numpy()
    expected = reward_model.cross_fitted(
        np.eye(POSITIONS)[position], item, log["click"], policy[position], rng
    )
    rounds = off_policy.rounds(
        log["click"], policy[position, item], log["propensity_score"], expected=expected
    )
    values = {method: off_policy.estimate(rounds, method, rng) for method in METHODS}
    clicks = own["click"].to_numpy("float64")
    return Judged(name, rounds, values, clicks.mean(), clicks.std() / np.sqrt(len(clicks)))


def judged(folder: Path) -> list[Judged]:
    """Return both directions for each campaign that the folder has."""
    campaigns = [c for c in ("men", "women", "all") if (folder / f"bts_{c}.csv.gz").exists()]
    if not campaigns:
        raise SystemExit(f"{folder} holds no bts_<campaign>.csv.gz of the Open Bandit data.")
    found = []
    for campaign in campaigns:
        uniform, sampling = (load(folder, policy, campaign) for policy in ("random", "bts"))
        actions = int(max(uniform["item_id"].max(), sampling["item_id"].max())) + 1
        shares = thompson(sampling, actions)
        level = np.full((POSITIONS, actions), 1 / actions)
        found.append(judge(f"{campaign}: Thompson from random", uniform, shares, sampling))
        found.append(judge(f"{campaign}: random from Thompson", sampling, level, uniform))
    return found


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<52} {value:>12.5g} {unit:<8} {target:<33} {'met' if met else 'MISSED'}")
    return {"name": name, "value": float(value), "unit": unit, "target": target, "met": bool(met)}


def bars(found: Judged) -> list[dict[str, Any]]:
    """Print one policy's estimates and return its bars."""
    told = found.log.diagnostics
    print(
        f"\n{found.name}: own log {found.own:.5f} (error {found.own_error:.5f}); effective "
        f"{told.effective:.0f} of {told.rounds}, mean weight {told.mean:.3f} (error "
        f"{told.error:.3f}), largest {told.largest:.1f}"
    )
    for fault in told.faults:
        print(f"  {fault}")
    lines = []
    for method, value in found.values.items():
        (low, _, high), (least, _, most) = value.asymptotic, value.bootstrap
        print(
            f"  {method:<6} {value.value:.5f}  asymptotic [{low:.5f}, {high:.5f}]  "
            f"bootstrap [{least:.5f}, {most:.5f}]"
        )
        # Its own log tells the truth with an error as well; the second bar counts both.
        off = abs(value.value - found.own)
        errors = off / float(np.hypot(value.measured.error, found.own_error))
        inside = low <= found.own <= high and least <= found.own <= most
        name = f"{found.name}, {method}"
        lines.append((name, off, "clicks", "own value in both intervals", inside))
        lines.append((f"{name}, in errors", errors, "errors", "<= 1.96", errors <= 1.96))
    return [bar(*line) for line in lines]


def main(arguments: list[str]) -> None:
    """Run the benchmark on the folder that ``arguments`` name."""
    if len(arguments) != 1:
        raise SystemExit("Usage: python benchmarks/off_policy.py DATA")
    found = [line for one in judged(Path(arguments[0])) for line in bars(one)]
    print(json.dumps({"benchmark": "off_policy", "bars": found}))


if __name__ == "__main__":
    main(sys.argv[1:])
