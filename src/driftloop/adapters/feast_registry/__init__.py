"""Feast's SQL registry, on Postgres, in which nothing is lost to whoever writes at the same time.

In feature_store.yaml of any Feast project with a store of ``feast_online`` or ``feast_asof``::

    registry:
        registry_type: sql
        path: postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME
        locked: true

Tables and content are Feast's own. What is promised between processes that all say ``locked``:

- Each change of an object is one transaction, alone in its project: seen whole or not at all, also
  where its process is killed in the middle. One that hangs is ended by the server after a minute.
- A materialized interval stays as long as its view is registered, whatever is applied, and is
  there once, however often it is reported.
- A definition changes by ``apply`` only. Feast writes the definition that a materialization began
  with once more when the materialization begins and where it fails; here that has no effect.
- Of two applies that differ, the last one counts, and the versions of both are kept.

A whole ``feast apply`` is one such change for each object, not one for all. It deletes what its
folder does not define, as Feast has it; so a project's definitions are applied from one folder.
"""

from __future__ import annotations

from typing import Any

from feast import feature_store
from feast.infra.registry.sql import SqlRegistry, SqlRegistryConfig

from driftloop.adapters.feast_registry.locked import LockedSqlRegistry

__all__ = ["LockedSqlRegistry", "offer"]


def offer() -> None:
    """Let Feast open this registry where ``locked`` asks for it.

    Feast 0.67 knows registries by four names and takes no class path; so the class that it opens
    for ``sql`` is chosen here. Without ``locked`` that is Feast's own, as before.
    """
    feature_store.SqlRegistry = _opened


def _opened(config: SqlRegistryConfig, project: str, repo_path: Any) -> SqlRegistry:
    kind = LockedSqlRegistry if getattr(config, "locked", False) else SqlRegistry
    return kind(config, project, repo_path)
