"""A Feast offline store that joins features as of each row's time, by DuckDB's ASOF join.

In feature_store.yaml of any Feast project with file sources::

    offline_store:
        type: driftloop.adapters.feast_asof.AsofOfflineStore
        created_cutoff: true

"""

from driftloop.adapters import feast_registry
from driftloop.adapters.feast_asof.store import AsofOfflineStore, AsofOfflineStoreConfig

__all__ = ["AsofOfflineStore", "AsofOfflineStoreConfig"]

# Feast imports a project's offline store before it opens the registry.
feast_registry.offer()
