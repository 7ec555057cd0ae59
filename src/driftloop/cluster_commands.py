"""Commands about a cluster: ``driftloop render | doctor | bucket | policy``."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Annotated

import typer

from driftloop import usecase
from driftloop_contracts.errors import InvalidInput, RunFailed
from driftloop_contracts.object_store import S3Store, open_store


def render(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A folder of usecases/.")],
    version: Annotated[str, typer.Option(help="The bundle that is served.")] = "VERSION",
    namespace: Annotated[str, typer.Option(help="Where the loop lives.")] = "default",
) -> None:
    """Print what the controller applies for a loop, for review in git."""
    from driftloop.cohorts import order as orders
    from driftloop.resources import cohort_job, documents, knative, lineup, serving
    from driftloop.resources.platform import KNATIVE
    from driftloop.services.controller import settings

    loop = usecase.find(name).loop
    metadata = loop.metadata.model_copy(update={"namespace": namespace})
    loop = loop.model_copy(update={"metadata": metadata})
    platform = settings.platform(DEFAULTS | dict(os.environ)).within(namespace)
    if platform.mode == KNATIVE:
        alone = lineup.Lineup("", version, platform.replicas)
        content = [
            knative.inference_service(loop, alone, platform),
            serving.disruption_budget(loop),
        ]
    else:
        content = serving.objects(
            loop, lineup.first(serving.goal(loop, platform, version)), platform
        )
    order = orders.Order(champion=version).to_json()
    content.append(cohort_job.cron_job(loop, platform, order))
    sys.stdout.write(documents.dump(content))


def doctor() -> None:
    """Look at what an installation needs, by the current kubeconfig and DRIFTLOOP_* settings."""
    from driftloop import doctor as checks
    from driftloop.adapters.kubernetes_objects import Objects

    sound = True
    for finding in checks.findings(Objects(), os.environ):
        mark = {True: "ok", False: "AMISS", None: "-"}[finding.sound]
        sys.stdout.write(f"{mark:<6} {finding.what}: {finding.says}\n")
        sound = sound and not finding.amiss
    if not sound:
        raise RunFailed("Something is amiss; the lines above say what.")


def bucket(
    namespaces: Annotated[list[str], typer.Argument(help="Those that have loops.")],
    log_days: Annotated[int, typer.Option(min=28, help="How long inference is kept.")] = 400,
) -> None:
    """Make the bucket of DRIFTLOOP_STORE, keep versions in it, and let old inference logs go."""
    from driftloop.adapters import bucket as buckets

    store = _bucket()
    folders = [store.within(checked_namespace(namespace)) for namespace in namespaces]
    buckets.prepare(store, folders, log_days)
    sys.stdout.write(f"{store.uri} keeps versions; inference is kept {log_days} days.\n")


def policy(
    service: Annotated[
        str, typer.Argument(help="serving, pipelines, controller, jobs or ingestion.")
    ],
    namespace: Annotated[str, typer.Argument(help="Where the loops live; '*': everywhere.")],
) -> None:
    """Print the bucket policy with the least that a service needs."""
    from driftloop.resources import bucket_policies

    store = _bucket()
    folder = store.within(namespace if namespace == "*" else checked_namespace(namespace))
    content = bucket_policies.policy(service, store.bucket, folder)
    sys.stdout.write(json.dumps(content, indent=2) + "\n")


def _bucket() -> S3Store:
    uri = os.environ.get("DRIFTLOOP_STORE", DEFAULTS["DRIFTLOOP_STORE"])
    store = open_store(uri)
    if not isinstance(store, S3Store):
        raise InvalidInput("DRIFTLOOP_STORE", "the environment", "s3://bucket", uri)
    return store


def checked_namespace(name: str) -> str:
    """Return ``name`` when a namespace can have it; raise InvalidInput."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name):
        raise InvalidInput("a namespace", "the arguments", "as Kubernetes names them", name)
    return name


DEFAULTS = {
    "DRIFTLOOP_IMAGE": "driftloop/platform:latest",
    "DRIFTLOOP_SIDECAR_IMAGE": "driftloop/drift-sidecar:latest",
    "DRIFTLOOP_STORE": "s3://driftloop",
    "DRIFTLOOP_SINK": "http://driftloop-receiver.driftloop-system.svc/",
}
"""As in manifests/base; an installation's own are in the environment."""
