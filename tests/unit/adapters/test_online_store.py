"""Where the newest feature values are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from feast.infra.online_stores.redis import RedisOnlineStore

from driftloop.adapters import online_store
from driftloop_contracts.errors import InvalidInput


def test_without_an_address_it_is_sqlite_in_the_folder() -> None:
    found = online_store.configuration("", Path("/f"))
    assert found["type"].endswith("SqliteOnlineStore")
    assert found["path"] == "/f/online.db"


def test_a_server_may_hold_several() -> None:
    found = online_store.configuration("redis://redis/3", Path())
    assert found["connection_string"] == "redis:6379,db=3"


def test_a_password_may_hold_any_character() -> None:
    found = online_store.configuration("redis://:a%3D%22b@redis:7000", Path())
    _, options = RedisOnlineStore._parse_connection_string(found["connection_string"])
    assert options == {"password": 'a="b'}
    found = online_store.configuration("redis://:123@redis", Path())
    _, options = RedisOnlineStore._parse_connection_string(found["connection_string"])
    assert options == {"password": "123"}


@pytest.mark.parametrize(
    "address",
    [
        "http://secret@redis",
        "redis:///0",
        "redis://:secret%2C@h",
        "redis://h:port",
        "redis://h/name",
        "postgresql://h/secret",
        "postgresql://secret@h",
        "[:x",
    ],
)
def test_a_wrong_address_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises(InvalidInput, match="DRIFTLOOP_ONLINE_STORE") as refused:
        online_store.configuration(address, Path())
    assert "secret" not in str(refused.value)
