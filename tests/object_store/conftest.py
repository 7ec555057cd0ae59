"""A MinIO server for all tests of object stores."""

from __future__ import annotations

from collections.abc import Iterator

import minio_server
import pytest


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a client of the server, which has a bucket."""
    with minio_server.serving(tmp_path_factory.mktemp("minio")) as environ:
        minio_server.create_bucket(environ)
        yield environ
