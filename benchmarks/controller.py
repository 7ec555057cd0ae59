"""Rounds of the controller over many loops at rest: seconds a round, memory.

    KUBECONFIG=... python benchmarks/controller.py [LOOPS ...]    100 and 500 by default

The cluster needs Driftloop's and KServe's kinds, best without a controller of its own. The loops
live in the namespace ``capacity``, which is deleted in the end.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from driftloop import clock
from driftloop.adapters import kubernetes_objects
from driftloop.adapters.kubernetes_ledger import KubernetesLedger
from driftloop.adapters.kubernetes_objects import Objects
from driftloop.ledger import Entry
from driftloop.resources.platform import Platform
from driftloop.services.controller import operator
from driftloop.services.controller.cluster import Cluster
from driftloop.state import State
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[1]
NAMESPACE = "capacity"
ROUNDS = 5


class NoRuns:
    """A pipeline server that no loop at rest asks for anything."""

    def create(self, namespace: str, name: str, image: str, parameters: dict[str, str]) -> Any:
        """Fail: a loop at rest starts nothing."""
        raise AssertionError(f"{name} was to be run")

    def named(self, namespace: str, name: str) -> list[Any]:
        """Fail: a loop at rest awaits nothing."""
        raise AssertionError(f"{name} was looked for")

    def end(self, run_id: str) -> None:
        """Fail: a loop at rest ends nothing."""
        raise AssertionError(f"{run_id} was to be ended")


def at_rest(objects: Objects, number: int) -> None:
    """Create one loop that has a champion and owes nothing."""
    content = yaml.safe_load((ROOT / "usecases/ads_ctr/loop.yaml").read_text())
    name = f"loop-{number}"
    content["metadata"] = {"name": name, "namespace": NAMESPACE}
    objects.create("LearningLoop", NAMESPACE, content)
    now = clock.now()
    state = State(champion="0001-0123456789ab", data_end=now, number=1, started=(now,))
    ledger = KubernetesLedger(objects, NAMESPACE, name)
    ledger.record(name, 0, state, Entry("Started", now - timedelta(seconds=1), (), (), None, None))


def measure(cluster: Cluster) -> float:
    """Return the median seconds of a round; the first one, which creates, is not counted."""
    operator.go_round(cluster, [NAMESPACE])
    seconds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        operator.go_round(cluster, [NAMESPACE])
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    """Print a line for each number of loops."""
    counts = sorted(int(text) for text in sys.argv[1:]) or [100, 500]
    kubernetes_objects.PATHS["Namespace"] = "api/v1/namespaces"
    objects = Objects()
    with suppress(kubernetes_objects.Stale):
        objects.create("Namespace", "default", {"metadata": {"name": NAMESPACE}})
    platform = Platform("driftloop/platform:x", "driftloop/drift-sidecar:x", "s3://x", "http://x")
    cluster = Cluster(objects, NoRuns(), FileStore(ROOT), platform)
    made = 0
    try:
        for count in counts:
            for number in range(made + 1, count + 1):
                at_rest(objects, number)
            made = count
            seconds = measure(cluster)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{count} loops: {seconds:.2f} s a round, {1000 * seconds / count:.1f} ms a loop, "
                f"{memory:.0f} MB at most"
            )
    finally:
        objects.delete("Namespace", "default", NAMESPACE)


if __name__ == "__main__":
    main()
