"""Operator: watches the API server and calls cluster_loop.py; it decides nothing itself.

kopf brings what changed at once; rounds over everything bring what the clock owes and whatever
a watch missed. kopf's peering is no safe lock and is not used: any number of replicas may work at
once, and compare-and-set keeps their effects single.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import product
from typing import Any

import kopf

from driftloop import clock
from driftloop.adapters.kubernetes_objects import Absent, Object, Stale
from driftloop.ledger import Conflict
from driftloop.services.controller import cluster_loop, pipeline_run
from driftloop.services.controller.cluster import Cluster
from driftloop.services.controller.cluster_loop import ClusterLoop
from driftloop.services.controller.settings import Settings
from driftloop_contracts.errors import DriftloopError, InvalidInput

GROUP, VERSION = "driftloop.io", "v1alpha1"
LOOPS = (GROUP, VERSION, "learningloops")
RETRAININGS = (GROUP, VERSION, "retrainings")
EVENTS = (GROUP, VERSION, "loopevents")
DRIVE_SECONDS = 3.0
"""Between two looks at a pipeline run."""
HASTE_SECONDS = 1.0
"""Between two steps from one bundle to another."""
RETRY_SECONDS = 3.0
"""After a conflict, or while a server does not answer."""

log = logging.getLogger("driftloop.controller")


def registered(cluster: Cluster) -> kopf.OperatorRegistry:
    """Return kopf's registry with the handlers of ``cluster``."""
    registry = kopf.OperatorRegistry()
    again = partial(_again, cluster)

    @kopf.on.startup(registry=registry)
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        prefix = GROUP
        settings.persistence.finalizer = f"{prefix}/finalizer"
        settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=prefix)
        settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=prefix)
        settings.posting.enabled = False
        # A scan of an API server that is just starting would end every watch.
        settings.scanning.disabled = True
        # A watch that an API server forgets must not wait for ever.
        settings.watching.server_timeout = 120
        settings.watching.client_timeout = 150

    @kopf.on.login(registry=registry)
    def login(**known: Any) -> Any:
        return kopf.login_via_client(**known)

    @kopf.on.resume(*LOOPS, registry=registry)
    @kopf.on.create(*LOOPS, registry=registry)
    @kopf.on.update(*LOOPS, field="spec", registry=registry)
    def turn(namespace: str | None, name: str, **_: Any) -> None:
        again("LearningLoop", lambda: ClusterLoop(cluster, str(namespace), name).turn(clock.now()))

    @kopf.on.resume(*EVENTS, registry=registry)
    @kopf.on.create(*EVENTS, registry=registry)
    def take(body: kopf.Body, **_: Any) -> None:
        again("LoopEvent", lambda: cluster_loop.take(cluster, dict(body), clock.now()))

    @kopf.on.resume(*RETRAININGS, registry=registry)
    @kopf.on.create(*RETRAININGS, registry=registry)
    @kopf.timer(*RETRAININGS, interval=DRIVE_SECONDS, when=_goes_on, registry=registry)
    def drive(namespace: str | None, name: str, **_: Any) -> None:
        again("Retraining", lambda: _drive(cluster, str(namespace), name))

    @kopf.on.delete(*RETRAININGS, registry=registry)
    def abandon(body: kopf.Body, **_: Any) -> None:
        again("Retraining", lambda: pipeline_run.abandon(cluster, dict(body)))

    return registry


def run(cluster: Cluster, settings: Settings) -> None:
    """Watch until told to stop."""
    asyncio.run(_run(cluster, settings))


async def _run(cluster: Cluster, settings: Settings) -> None:
    await asyncio.to_thread(_await_kinds, cluster)
    rounds = asyncio.create_task(_go_round(cluster, settings))
    haste = asyncio.create_task(_hasten(cluster))
    try:
        await kopf.operator(
            registry=registered(cluster),
            standalone=True,
            namespaces=list(settings.namespaces),
            clusterwide=not settings.namespaces,
            liveness_endpoint=settings.liveness or None,
        )
    finally:
        rounds.cancel()
        haste.cancel()


def _await_kinds(cluster: Cluster) -> None:
    """Return when the API server lists Driftloop's kinds: kopf looks for them only once."""
    while True:
        try:
            if cluster.objects.kinds(GROUP, VERSION) >= {"LearningLoop", "Retraining", "LoopEvent"}:
                return
            log.warning("The API server does not list Driftloop's kinds yet.")
        except DriftloopError as error:
            log.warning("%s", error)
        time.sleep(RETRY_SECONDS)


async def _go_round(cluster: Cluster, settings: Settings) -> None:
    """Look at everything from time to time: the clock brings work, and a watch can miss some."""
    while True:
        await asyncio.sleep(settings.turn_seconds)
        await asyncio.to_thread(go_round, cluster, settings.namespaces or ("",))


async def _hasten(cluster: Cluster) -> None:
    """Bring loops whose bundle changes now to the next step as soon as the last one is done."""
    while True:
        await asyncio.sleep(HASTE_SECONDS)
        await asyncio.to_thread(hasten, cluster)


def hasten(cluster: Cluster) -> None:
    """Take a step in serving each loop whose bundle changes now."""
    for namespace, name in cluster.unsettled.due():
        what = f"LearningLoop {namespace}/{name}"
        _tried(cluster, "LearningLoop", what, partial(_serve, cluster, namespace, name))


def _serve(cluster: Cluster, namespace: str, name: str) -> None:
    try:
        ClusterLoop(cluster, namespace, name).serve()
    except Absent:
        cluster.unsettled.forget((namespace, name))


def go_round(cluster: Cluster, namespaces: Sequence[str]) -> None:
    """Take every LoopEvent of these namespaces ('': of all) that waits, and turn every loop."""
    acts = (("LoopEvent", cluster_loop.take), ("LearningLoop", _turn))
    seen: dict[str, list[Object]] = {kind: [] for kind, _ in acts}
    complete = True
    for namespace, (kind, act) in product(namespaces, acts):
        listed = _tried(cluster, kind, kind, partial(cluster.objects.list, kind, namespace))
        complete = complete and listed is not None
        seen[kind] += listed or ()
        for found in listed or ():
            _tried(cluster, kind, _named(found), partial(act, cluster, found, clock.now()))
    if complete:
        cluster.metrics.round_done(seen["LearningLoop"], clock.now())


def _tried(cluster: Cluster, kind: str, what: str, act: Callable[[], Any]) -> Any:
    """Return what ``act`` returns; its trouble is logged, and keeps nothing else waiting."""
    try:
        return act()
    except (Absent, Conflict, Stale, DriftloopError) as error:
        log.warning("%s: %s", what, error)
    except Exception:
        log.exception("%s", what)
    cluster.metrics.failed(kind)
    return None


def _turn(cluster: Cluster, loop: Object, now: datetime) -> None:
    ClusterLoop(cluster, loop["metadata"]["namespace"], loop["metadata"]["name"]).turn(now)


def _named(found: Object) -> str:
    return f"{found['kind']} {found['metadata']['namespace']}/{found['metadata']['name']}"


def _goes_on(status: kopf.Status, **_: Any) -> bool:
    return status.get("phase") != "Ended"


def _drive(cluster: Cluster, namespace: str, name: str) -> None:
    found: Object = cluster.objects.get("Retraining", namespace, name)
    ClusterLoop(cluster, namespace, found["spec"]["loop"]).drive(found, clock.now())


def _again(cluster: Cluster, kind: str, act: Callable[[], Any]) -> Any:
    """Return what ``act`` returns; what another try may mend is tried again soon."""
    try:
        return act()
    except Absent:
        return None  # deleted meanwhile: there is nothing to do
    except InvalidInput as error:
        raise kopf.PermanentError(str(error)) from error
    except (Conflict, Stale, DriftloopError) as error:
        cluster.metrics.failed(kind)
        raise kopf.TemporaryError(str(error), delay=RETRY_SECONDS) from error
