"""What tells of a materialization is told apart from what defines a view."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import project
import pytest
import registry_project as shops
from feast import FeatureStore
from feast.feature_view import FeatureViewState
from feast.infra.registry.sql import FeastRegistrySchemaError, SqlRegistryConfig
from project import NOON

from driftloop.adapters import registry
from driftloop.adapters.feast_registry import LockedSqlRegistry

ALONE = """
import sys
from pathlib import Path
from driftloop.adapters import registry
from feast import FeatureStore, RepoConfig
config = RepoConfig(
    project="shops",
    provider="local",
    registry=registry.configuration(sys.argv[1], Path(sys.argv[2])),
    offline_store={"type": "driftloop.adapters.feast_asof.AsofOfflineStore"},
    online_store={"type": "sqlite", "path": sys.argv[2] + "/online.db"},
    entity_key_serialization_version=3,
)
print(type(FeatureStore(config=config).registry).__name__)
"""


@pytest.fixture
def store(empty_postgres: str, tmp_path: Path) -> Iterator[FeatureStore]:
    row = {"shared_key": 1, "value": 1.0, "event": NOON, "created": NOON}
    project.write(tmp_path / "rows" / "1.parquet", [row])
    found = shops.opened(empty_postgres, tmp_path)
    found.apply(shops.objects(tmp_path))
    yield found
    found.registry.write_engine.dispose()


@pytest.mark.parametrize("state", ["GENERATED", "MATERIALIZING"])
def test_a_view_that_is_new_is_registered_whatever_its_state(
    store: FeatureStore, tmp_path: Path, state: str
) -> None:
    view = shops.objects(tmp_path, "brought")[1]
    view.state = FeatureViewState[state]
    store.registry.apply_feature_view(view, "shops")
    assert store.get_feature_view("brought").state == view.state


def test_a_registry_that_only_verifies_its_tables_opens(
    store: FeatureStore, empty_postgres: str, tmp_path: Path
) -> None:
    settings = registry.configuration(empty_postgres, tmp_path) | {"schema_mode": "verify"}
    opened = LockedSqlRegistry(SqlRegistryConfig(**settings), "shops", None)
    assert [view.name for view in opened.list_feature_views("shops")] == ["shared"]
    opened.write_engine.dispose()


def test_a_registry_without_its_tables_says_so(empty_postgres: str, tmp_path: Path) -> None:
    settings = registry.configuration(empty_postgres, tmp_path) | {"schema_mode": "verify"}
    with pytest.raises(FeastRegistrySchemaError):
        LockedSqlRegistry(SqlRegistryConfig(**settings), "shops", None)


def test_it_opens_with_our_offline_store_alone(empty_postgres: str, tmp_path: Path) -> None:
    child = subprocess.run(
        [sys.executable, "-c", ALONE, empty_postgres, str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert child.stdout == "LockedSqlRegistry\n", child.stderr
