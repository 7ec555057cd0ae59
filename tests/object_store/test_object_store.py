"""What every object store does: plain files always, a real MinIO server under the marker s3."""

from __future__ import annotations

import os
import secrets
import threading
import time
from pathlib import Path

import pytest
from minio_server import BUCKET

from driftloop_contracts.errors import InvalidInput, StoreUnavailable
from driftloop_contracts.object_store import ObjectStore, open_store


@pytest.fixture(params=["files", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "files":
        return open_store(str(tmp_path / "store"))
    environ = request.getfixturevalue("minio")
    return open_store(f"s3://{BUCKET}/{secrets.token_hex(4)}", environ)


def test_what_was_put_is_got(store: ObjectStore) -> None:
    store.put("a/b.txt", b"hello")
    assert store.get("a/b.txt") == b"hello"


def test_a_second_put_replaces(store: ObjectStore) -> None:
    store.put("a", b"1")
    store.put("a", b"22")
    assert store.get("a") == b"22"


def test_a_missing_key_is_a_key_error(store: ObjectStore) -> None:
    with pytest.raises(KeyError):
        store.get("nothing/here")


def test_what_is_removed_is_gone_once_and_for_all(store: ObjectStore) -> None:
    for name in ("a/one", "a/two"):
        store.put(name, b"x")
    for _ in range(2):
        store.remove("a/one")
    assert store.list("a/") == ["a/two"]
    with pytest.raises(KeyError):
        store.get("a/one")


def test_empty_and_large_objects(store: ObjectStore) -> None:
    large = os.urandom(5_000_000)
    store.put("empty", b"")
    store.put("large", large)
    assert (store.get("empty"), store.get("large")) == (b"", large)


def test_list_is_sorted_and_below_the_prefix(store: ObjectStore) -> None:
    for key in ("x/2", "x/10", "y/1", "x/deep/3", "xy"):
        store.put(key, b"")
    assert store.list("x/") == ["x/10", "x/2", "x/deep/3"]
    assert store.list("x") == ["x/10", "x/2", "x/deep/3", "xy"]
    assert store.list("nothing/") == []


@pytest.mark.parametrize("key", ["", "/etc/passwd", "a/../../b", "a\x00b"])
def test_keys_stay_inside(store: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidInput, match="must be a relative path"):
        store.put(key, b"")


def test_concurrent_writers_leave_one_whole_object(store: ObjectStore) -> None:
    contents = [bytes([65 + i]) * 200_000 for i in range(8)]
    threads = [threading.Thread(target=store.put, args=("one", c)) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("one") in contents
    assert store.list("one") == ["one"]


@pytest.mark.parametrize("prefix", ["/etc/", "../", "a/../../"])
def test_a_list_stays_inside(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(InvalidInput, match="must be a relative path"):
        store.list(prefix)


def test_a_key_below_a_file_is_a_key_error(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/a store")
    store.put("a", b"1")
    assert (tmp_path / "a store" / "a").read_bytes() == b"1"
    with pytest.raises(KeyError):
        store.get("a/b")


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="s3://bucket/prefix"):
        open_store("ftp://host/path")


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="Cannot write"):
        open_store(str(tmp_path / "file")).put("a", b"")


@pytest.mark.s3
def test_wrong_keys_are_refused_without_naming_them(minio: dict[str, str]) -> None:
    wrong = minio | {"AWS_SECRET_ACCESS_KEY": "a-secret-nobody-may-see"}
    with pytest.raises(StoreUnavailable) as refused:
        open_store(f"s3://{BUCKET}", wrong).get("a")
    assert "a-secret" not in str(refused.value)
    assert minio["AWS_ACCESS_KEY_ID"] not in str(refused.value)


@pytest.mark.s3
def test_a_bucket_that_is_not_there_says_so(minio: dict[str, str]) -> None:
    with pytest.raises(StoreUnavailable, match="NoSuchBucket"):
        open_store("s3://no-such-bucket", minio).put("a", b"")


def test_a_server_that_is_down_is_told_soon() -> None:
    environ = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Cannot read s3://"):
        open_store(f"s3://{BUCKET}", environ).get("a")
    assert time.monotonic() - began < 20
