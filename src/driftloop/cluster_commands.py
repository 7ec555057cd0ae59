"""Commands about a cluster: ``driftloop render | doctor``."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from driftloop import usecase
from driftloop_contracts.errors import RunFailed


def render(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A folder of usecases/.")],
    version: Annotated[str, typer.Option(help="The bundle that is served.")] = "VERSION",
    namespace: Annotated[str, typer.Option(help="Where the loop lives.")] = "default",
) -> None:
    """Print what the controller applies for a loop, for review in git."""
    from driftloop.resources import documents, serving
    from driftloop.services.controller import settings

    loop = usecase.find(name).loop
    metadata = loop.metadata.model_copy(update={"namespace": namespace})
    loop = loop.model_copy(update={"metadata": metadata})
    platform = settings.platform(DEFAULTS | dict(os.environ)).within(namespace)
    sys.stdout.write(documents.dump(serving.objects(loop, version, platform)))


def doctor() -> None:
    """Look at what an installation needs, by the current kubeconfig and DRIFTLOOP_* settings."""
    from driftloop import doctor as checks
    from driftloop.adapters.kubernetes_objects import Objects

    sound = True
    for finding in checks.findings(Objects(), os.environ):
        mark = {True: "ok", False: "AMISS", None: "-"}[finding.sound]
        sys.stdout.write(f"{mark:<6} {finding.what}: {finding.says}\n")
        sound = sound and finding.sound is not False
    if not sound:
        raise RunFailed("Something is amiss; the lines above say what.")


DEFAULTS = {
    "DRIFTLOOP_IMAGE": "driftloop/platform:latest",
    "DRIFTLOOP_SIDECAR_IMAGE": "driftloop/drift-sidecar:latest",
    "DRIFTLOOP_STORE": "s3://driftloop",
    "DRIFTLOOP_SINK": "http://driftloop-receiver.driftloop-system.svc/",
}
"""As in manifests/base; an installation's own are in the environment."""
