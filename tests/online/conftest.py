"""Each of the project's online stores, empty, on a server of its own where it has one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import servers
from feast import FeatureStore, RepoConfig

from driftloop.adapters import online_store

Opened = Callable[[], FeatureStore]


@pytest.fixture(scope="session")
def redis_address() -> Iterator[str]:
    with servers.serving_redis() as address:
        yield f"redis://{address}"


@pytest.fixture(scope="session")
def postgres_address() -> Iterator[str]:
    with servers.serving_postgres() as address:
        yield address


@pytest.fixture
def empty_postgres(postgres_address: str) -> str:
    """The address of a database with nothing in it."""
    emptied(postgres_address)
    return postgres_address


@pytest.fixture(params=["sqlite", "redis", "postgres"])
def address(request: pytest.FixtureRequest) -> str:
    """The address of an empty online store as DRIFTLOOP_ONLINE_STORE has it."""
    if request.param == "sqlite":
        return ""
    found: str = request.getfixturevalue(f"{request.param}_address")
    emptied(found)
    return found


def emptied(address: str) -> None:
    if address.startswith("redis"):
        redis.Redis.from_url(address).flushall()
        return
    with psycopg.connect(address) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")


@pytest.fixture
def settings(address: str, tmp_path: Path) -> dict[str, Any]:
    """What feature_store.yaml would say."""
    return {
        "project": "conformance",
        "provider": "local",
        "registry": str(tmp_path / "registry.db"),
        "offline_store": {"type": "driftloop.adapters.feast_asof.AsofOfflineStore"},
        "online_store": online_store.configuration(address, tmp_path),
        "entity_key_serialization_version": 3,
        "repo_path": tmp_path,
    }


@pytest.fixture
def opened(settings: dict[str, Any]) -> Iterator[Opened]:
    """Opens the same project, each time with connections of its own."""
    stores: list[FeatureStore] = []

    def open_project() -> FeatureStore:
        stores.append(FeatureStore(config=RepoConfig(**settings)))
        return stores[-1]

    yield open_project
    for store in stores:
        asyncio.run(store._get_provider().online_store.close())
