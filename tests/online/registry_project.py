"""A project with a registry in Postgres, and processes that change it at the same time."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import project
from feast import FeatureService, FeatureStore, FeatureView, RepoConfig
from feast.infra.registry.sql import SqlRegistry
from project import NOON, hours, utc

from driftloop.adapters import registry

Interval = tuple[datetime, datetime]
WRITERS, ROUNDS = 4, 4


def opened(address: str, folder: Path, *, locked: bool = True) -> FeatureStore:
    """Open the project anew; where it is not ``locked``, with Feast's own registry."""
    settings = registry.configuration(address, folder) | {"locked": locked}
    config = RepoConfig(
        project="shops",
        provider="local",
        registry=settings,
        offline_store={"type": "driftloop.adapters.feast_asof.AsofOfflineStore"},
        online_store={
            "type": "driftloop.adapters.feast_online.sqlite.NewestSqliteOnlineStore",
            "path": str(folder / f"online-{os.getpid()}.db"),
        },
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    assert (type(store.registry) is SqlRegistry) != locked
    return store


def objects(folder: Path, name: str = "shared", *features: str) -> list[Any]:
    """Return a view of ``features`` with its entity and service."""
    rows, key = project.source(folder / "rows"), project.entity(f"{name}_key")
    view = project.view(rows, [key], name=name, features=("value", *features))
    return [key, view, FeatureService(name=f"{name}_service", features=[view])]


def interval(writer: int, turn: int) -> Interval:
    """Return an interval that nobody else materializes."""
    start = utc(NOON) + timedelta(days=writer) + hours(turn)
    return start, start + hours(1)


def intervals(store: FeatureStore, name: str = "shared") -> set[Interval]:
    found = store.get_feature_view(name).materialization_intervals
    assert len(found) == len(set(found))
    return set(found)


def features(view: FeatureView) -> set[str]:
    return {feature.name for feature in view.features}


def write(store: FeatureStore, folder: Path, writer: int, turn: int) -> None:
    """Change a view of one's own, and report two materializations of what all share.

    The second is as Feast's ``materialize`` does it, around the copying.
    """
    store.apply(objects(folder, f"own{writer}", f"turn{turn}"))
    begun = store.get_feature_view("shared")
    store.registry.apply_materialization(begun, "shops", *interval(writer, 2 * turn))
    store.materialize(*interval(writer, 2 * turn + 1), feature_views=["shared"])
    store.apply(objects(folder)[:2])  # what is registered already


def main(address: str, folder: Path, locked: bool) -> int:
    """Run the writers, each a process with connections of its own; count those that failed.

    They are forked after the imports, which take longer than what they do.
    """
    children = []
    for writer in range(WRITERS):
        child = os.fork()
        if child == 0:
            os._exit(_writer(address, folder, writer, locked))
        children.append(child)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def _writer(address: str, folder: Path, writer: int, locked: bool) -> int:
    try:
        store = opened(address, folder, locked=locked)
        store.apply(objects(folder))
        for turn in range(ROUNDS):
            write(store, folder, writer, turn)
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "locked"))
