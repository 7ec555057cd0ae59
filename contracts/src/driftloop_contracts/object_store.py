"""One small interface to objects: a folder of plain files, or any S3 through MinIO's client.

Keys are relative paths such as ``bundles/ads-ctr/0001-1a2b3c4d/manifest.json``.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from driftloop_contracts.errors import InvalidInput, StoreUnavailable

if TYPE_CHECKING:
    from minio import Minio


class ObjectStore(Protocol):
    """What both stores do; a missing key raises KeyError, a failing store StoreUnavailable."""

    uri: str

    def get(self, key: str) -> bytes:
        """Return the object's content."""

    def put(self, key: str, content: bytes) -> None:
        """Write the object whole or not at all; an object of that key is replaced."""

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""

    def remove(self, key: str) -> None:
        """Remove the object; one that is absent is as good as removed."""


def open_store(uri: str, environ: Mapping[str, str] | None = None) -> ObjectStore:
    """Return the store at ``uri``: a path, ``file://path`` or ``s3://bucket/prefix``.

    S3 reads ``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID`` and ``AWS_SECRET_ACCESS_KEY``.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return FileStore(Path(uri.removeprefix("file://")))
    if parts.scheme == "s3" and parts.netloc:
        environ = os.environ if environ is None else environ
        return S3Store(_client(environ), parts.netloc, parts.path.strip("/"))
    raise InvalidInput("the object store", "its address", "a path or s3://bucket/prefix", uri)


def checked(key: str) -> str:
    """Return ``key`` when it stays inside the store; raise InvalidInput when it would not.

    >>> checked("bundles/ads-ctr/0001/manifest.json")
    'bundles/ads-ctr/0001/manifest.json'
    """
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\x00" in key:
        raise InvalidInput("an object's key", "the store", "a relative path without '..'", key)
    return key


class FileStore:
    """Objects as files below one folder; a write is a rename, so readers never see half."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.uri = str(self.root)

    def get(self, key: str) -> bytes:
        """Return the file's content; raise KeyError when it is not there."""
        try:
            return (self.root / checked(key)).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise KeyError(key) from None
        except OSError as error:
            raise StoreUnavailable(f"Cannot read {self.root / key}: {error.strerror}.") from error

    def put(self, key: str, content: bytes) -> None:
        """Write the file beside its place, then rename it there."""
        target = self.root / checked(key)
        draft = target.with_name(f".{target.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
            draft.replace(target)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise StoreUnavailable(f"Cannot write {target}: {error.strerror}.") from error

    def list(self, prefix: str) -> list[str]:
        """Return the keys below the deepest folder of ``prefix`` that begin with it."""
        folder = self.root / (checked(prefix) if prefix else "").rpartition("/")[0]
        files = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
        keys = (p.relative_to(self.root).as_posix() for p in files)
        return sorted(key for key in keys if key.startswith(prefix))

    def remove(self, key: str) -> None:
        """Remove the file, and its folder with the last one."""
        target = self.root / checked(key)
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"Cannot remove {target}: {error.strerror}.") from error
        with suppress(OSError):
            target.parent.rmdir()


class S3Store:
    """Objects of one bucket below one prefix, through MinIO's client."""

    def __init__(self, client: Minio, bucket: str, prefix: str) -> None:
        self.client, self.bucket, self.prefix = client, bucket, prefix
        self.uri = f"s3://{bucket}/{prefix}".rstrip("/")

    def get(self, key: str) -> bytes:
        """Return the object's content; raise KeyError when it is not there."""
        with self._answering("read", key):
            answer = self.client.get_object(self.bucket, self.within(key))
            try:
                return bytes(answer.read())
            finally:
                answer.close()
                answer.release_conn()

    def put(self, key: str, content: bytes) -> None:
        """Write the object; S3 shows it whole or not at all."""
        with self._answering("write", key):
            self.client.put_object(self.bucket, self.within(key), io.BytesIO(content), len(content))

    def list(self, prefix: str) -> list[str]:
        """Return the keys that begin with ``prefix``, sorted."""
        start = f"{self.prefix}/" if self.prefix else ""
        with self._answering("list", prefix):
            begin = start + (checked(prefix) if prefix else "")
            found = self.client.list_objects(self.bucket, begin, recursive=True)
            return sorted(str(item.object_name)[len(start) :] for item in found)

    def remove(self, key: str) -> None:
        """Remove the object; a bucket that keeps versions keeps it as an older one."""
        with self._answering("remove", key):
            self.client.remove_object(self.bucket, self.within(key))

    def within(self, key: str) -> str:
        """Return the object's name in the bucket."""
        return f"{self.prefix}/{checked(key)}" if self.prefix else checked(key)

    @contextmanager
    def _answering(self, verb: str, key: str) -> Iterator[None]:
        """Turn the client's errors into the store's two; the message names no credential."""
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (MinioException, HTTPError, OSError) as error:
            code = error.code if isinstance(error, S3Error) else type(error).__name__
            if code == "NoSuchKey":
                raise KeyError(key) from None
            raise StoreUnavailable(f"Cannot {verb} {self.uri}/{key}: {code}.") from error


def _client(environ: Mapping[str, str]) -> Minio:
    try:
        import urllib3
        from minio import Minio
    except ModuleNotFoundError:
        raise StoreUnavailable("An s3:// store needs the package 'minio'.") from None
    endpoint = urlsplit(environ.get("AWS_ENDPOINT_URL", "https://s3.amazonaws.com"))
    if endpoint.scheme not in ("http", "https") or not endpoint.netloc:
        got = environ.get("AWS_ENDPOINT_URL")
        raise InvalidInput("AWS_ENDPOINT_URL", "the environment", "an http(s) address", got)
    return Minio(
        endpoint.netloc,
        access_key=environ.get("AWS_ACCESS_KEY_ID"),
        secret_key=environ.get("AWS_SECRET_ACCESS_KEY"),
        region=environ.get("AWS_REGION", "us-east-1"),
        secure=endpoint.scheme == "https",
        http_client=urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=60),
            retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=(502, 503, 504)),
        ),
    )
