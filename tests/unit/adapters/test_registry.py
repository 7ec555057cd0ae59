"""Where Feast's registry is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from driftloop.adapters import registry
from driftloop_contracts.errors import InvalidInput


def test_without_an_address_it_is_a_file_in_the_folder() -> None:
    found = registry.configuration("", Path("/f"))
    assert found == {"registry_type": "file", "path": "/f/registry.db"}


def test_a_database_is_locked_and_spoken_to_by_the_driver_that_is_installed() -> None:
    for scheme in ("postgresql", "postgresql+psycopg"):
        found = registry.configuration(f"{scheme}://feast@db:5433/registry", Path())
        assert (found["registry_type"], found["locked"]) == ("sql", True)
        assert found["path"].startswith("postgresql+psycopg://feast@db:5433/registry")


def test_a_password_may_hold_any_character_and_the_connection_is_encrypted_by_default() -> None:
    found = registry.configuration("postgresql://feast:a%40%2F%3A%25@db/registry", Path())
    url = make_url(found["path"])
    assert (url.password, url.host, url.query) == ("a@/:%", "db", {"sslmode": "require"})
    found = registry.configuration("postgresql://feast@db/registry?sslmode=disable", Path())
    assert make_url(found["path"]).query == {"sslmode": "disable"}


@pytest.mark.parametrize(
    "address",
    [
        "mysql://secret@db/registry",
        "sqlite:///secret.db",
        "postgresql://db/secret",
        "postgresql://secret@db",
        "postgresql://secret@/registry",
        "postgresql://u:secret@db:port/registry",
        "secret",
        "feast:secret@db/registry",
        "[:x",
    ],
)
def test_a_wrong_address_is_refused_without_its_secrets(address: str) -> None:
    with pytest.raises(InvalidInput, match="DRIFTLOOP_REGISTRY in the environment") as refused:
        registry.configuration(address, Path())
    assert "secret" not in str(refused.value)
