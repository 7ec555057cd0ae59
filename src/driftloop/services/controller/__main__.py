"""``python -m driftloop.services.controller``: the controller on Kubernetes."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from driftloop.services.controller import settings as configuration
from driftloop.services.controller.settings import Settings
from driftloop_contracts.errors import DriftloopError


def main() -> int:
    """Watch until told to stop; return 2 when the settings are refused."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        settings = configuration.from_env(os.environ)
    except DriftloopError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from driftloop.services.controller import operator

    cluster = assembled(settings)
    if settings.metrics:
        cluster.metrics.serve(settings.metrics)
    operator.run(cluster, settings)
    return 0


def assembled(settings: Settings) -> Any:
    """Return the cluster that ``settings`` describe, its clients connected."""
    from driftloop import doctor
    from driftloop.adapters import kfp_runs
    from driftloop.adapters.kubernetes_objects import Objects
    from driftloop.services.controller.cluster import Cluster
    from driftloop.services.controller.health import Health
    from driftloop.services.controller.run_slots import RunSlots
    from driftloop_contracts.object_store import open_store

    objects = Objects()
    runs = kfp_runs.of_server(
        settings.kfp, settings.kfp_token, settings.package, multi_user=settings.kfp_multi_user
    )
    store = open_store(settings.platform.store)
    health = Health(lambda: doctor.condition(objects, os.environ))
    slots = RunSlots(objects, settings.max_runs, settings.namespaces)
    return Cluster(objects, runs, store, settings.platform, health=health, slots=slots)


if __name__ == "__main__":
    sys.exit(main())
