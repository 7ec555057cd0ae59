"""Stories over seeds: whether each way back is found by the stage that should find it.

    python benchmarks/story.py ads_ctr [N]           seeds 1..N (10)
    python benchmarks/story.py support_routing [N]

Prints what each seed found and came to, what overlooking a finding costs on seed 1, and last one
JSON line with its bars.
"""

from __future__ import annotations

import json
import sys
import time

from driftloop import usecase
from driftloop.story import ablation
from driftloop.story.acting import act
from driftloop.usecase import load_module

EXPECTED = {
    "ads_ctr": ["label_errors", "few_positives", "stale_data", "pivot"],
    "support_routing": ["label_errors", "data_drift", "unrepresentative"],
}
"""What the article's stories come to; nothing in the stories themselves knows it."""


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, object]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<60} {value:>9.4g} {unit:<8} {target:<12} {'met' if met else 'MISSED'}")
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


def main(name: str, seeds: int) -> None:
    """Act the story out with each seed, and with each finding overlooked for the first."""
    case = usecase.find(name)
    play = load_module(case.folder, case.name, "story").play
    acts, walls = [], []
    for seed in range(1, seeds + 1):
        began = time.monotonic()
        found = act(play(seed))
        acts.append(found)
        walls.append(time.monotonic() - began)
        told = {figure: round(value, 1) for figure, value in found.outcome.items()}
        print(f"seed {seed}: {[one.rule for one in found.returns]} {told} {walls[-1]:.0f} s")
    as_told = sum([one.rule for one in found.returns] == EXPECTED[name] for found in acts)
    bars = [bar("seeds whose stages find every turn", as_told, "", f"{seeds}", as_told == seeds)]
    began = time.monotonic()
    for one in ablation.each(acts[0], lambda: play(1)):
        most = max(one.lost(acts[0], figure) for figure in acts[0].outcome)
        bars.append(bar(f"lost by overlooking {one.rule}", most, "share", "> 0", most > 0))
    whole = walls[0] + time.monotonic() - began
    bars.append(bar("the command, seed 1", whole, "s", "<= 300", whole <= 300))
    print(json.dumps({"benchmark": f"story {name}", "bars": bars}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10)
