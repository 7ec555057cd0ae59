"""The command ``driftloop retain``: let bundles go that a loop needs no more."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from driftloop import last_run, usecase
from driftloop.bundle import retention
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import ObjectStore, open_store


def retain(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A use case or its loop's name.")],
    keep: Annotated[int, typer.Option(min=1, help="The newest that stay in any case.")] = 10,
    namespace: Annotated[str, typer.Option(help="A cluster's; default: the last run.")] = "",
    run: Annotated[Path | None, typer.Option("--run", help="A run's folder.")] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove them; else only told.")] = False,
) -> None:
    """Tell which bundles may go, and remove them with --delete.

    What the loop's ledger names stays: the champion, those before it, what is on its way into
    service or held. On a cluster DRIFTLOOP_STORE names the bucket, whose keys must allow it.
    """
    case = usecase.find(name)
    loop = case.loop.name
    named, store = _cluster(loop, namespace) if namespace else _last_run(case, run)
    if not named:
        allowed = "one with a champion: without one nothing says what is needed"
        raise InvalidInput("the loop", store.uri, allowed, loop)
    versions = retention.stored(store, loop)
    going = retention.expired(versions, named, keep)
    for version in going:
        if delete:
            retention.remove(store, loop, version)
        sys.stdout.write(f"{version} {'is removed' if delete else 'may go'}.\n")
    sys.stdout.write(f"{len(versions) - len(going)} of {len(versions)} bundles stay.\n")


def _cluster(loop: str, namespace: str) -> tuple[set[str], ObjectStore]:
    """Return the versions that the ledger, a pin or a pod names, and the namespace's store."""
    from driftloop.adapters.kubernetes_ledger import KubernetesLedger
    from driftloop.adapters.kubernetes_objects import Absent, Objects
    from driftloop.cluster_commands import DEFAULTS, checked_namespace

    uri = os.environ.get("DRIFTLOOP_STORE", DEFAULTS["DRIFTLOOP_STORE"])
    store, objects = open_store(f"{uri}/{checked_namespace(namespace)}"), Objects()
    try:
        pin = objects.get("LearningLoop", namespace, loop)["spec"].get("pin", "")
        state, _ = KubernetesLedger(objects, namespace, loop).state(loop)
    except Absent:
        allowed = f"one of namespace {namespace}"
        raise InvalidInput("the loop", "the cluster", allowed, loop) from None
    served: set[str] = set()
    with suppress(Absent):
        served = retention.serving(objects.get("InferenceService", namespace, loop))
    return (retention.named(state) | served | {pin} - {""} if state.champion else set()), store


def _last_run(case: UseCase, run: Path | None) -> tuple[set[str], ObjectStore]:
    from driftloop.adapters.sqlite_ledger import SqliteLedger

    folder = run or last_run.folder(case.name)
    ledger = folder / last_run.LEDGER
    if not ledger.exists():
        raise InvalidInput("a run", str(folder), f"a folder with {last_run.LEDGER}", "none")
    state, _ = SqliteLedger(ledger).state(case.loop.name)
    named = retention.named(state) if state.champion else set()
    return named, last_run.store(case.name, folder)
