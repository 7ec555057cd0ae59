"""Where parquet of a source lies: read as a list of files, added to by whole new files."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from driftloop_contracts.errors import InvalidInput

S3 = "s3://"
SUFFIX = ".parquet"


@dataclass(frozen=True)
class Place:
    """A file, a folder or a glob of parquet files on a filesystem of Arrow's."""

    filesystem: Any
    path: str
    local: bool

    def parquet(self) -> list[str]:
        """Return the paths of its files in order of their names; none where there is nothing."""
        if self._type(self.path) == fs.FileType.File:
            return [self.path]
        root = self.root()
        selector = fs.FileSelector(root, recursive=True, allow_not_found=True)
        names = (
            info.path
            for info in self.filesystem.get_file_info(selector)
            if info.type == fs.FileType.File and info.path.endswith(SUFFIX)
        )
        pattern = f"{root}/**" if root == self.path else self.path
        return sorted(name for name in names if _matches(name, pattern))

    def root(self) -> str:
        """Return the folder that the files lie in: the path itself, or a glob's fixed part."""
        parts = PurePosixPath(self.path).parts
        fixed = next((n for n, part in enumerate(parts) if set("*?[") & set(part)), len(parts))
        return str(PurePosixPath(*parts[:fixed]))

    def add(self, table: pa.Table, partition_by: Sequence[str] = ()) -> None:
        """Add ``table`` as a new file, seen whole or not at all; other files stay as they are."""
        kind = self._type(self.path)
        if kind == fs.FileType.File:
            allowed = "a folder or a glob, to which a file can be added"
            raise InvalidInput("path of the source", "offline write", allowed, self.path)
        if kind == fs.FileType.NotFound and self.root() == self.path and _is_file(self.path):
            self.write(self.path, table)
            return
        keys = list(partition_by) or self._partitions()
        if keys:
            self._add_partitions(table, keys)
        else:
            self.write(f"{self.root()}/{uuid.uuid4().hex}{SUFFIX}", table)

    def _add_partitions(self, table: pa.Table, keys: list[str]) -> None:
        """Add a file to each hive partition that ``table`` has rows of."""
        name = uuid.uuid4().hex
        folder = f"{self.root()}/.{name}" if self.local else self.root()
        ds.write_dataset(
            table,
            folder,
            filesystem=self.filesystem,
            format="parquet",
            partitioning=ds.partitioning(
                pa.schema([table.field(key) for key in keys]), flavor="hive"
            ),
            basename_template=f"{name}-{{i}}" + (".unfinished" if self.local else SUFFIX),
            existing_data_behavior="overwrite_or_ignore",
        )
        if self.local:
            for info in self.filesystem.get_file_info(fs.FileSelector(folder, recursive=True)):
                if info.type == fs.FileType.File:
                    inside = PurePosixPath(info.path).relative_to(folder)
                    target = f"{self.root()}/{inside.with_suffix(SUFFIX)}"
                    self.filesystem.create_dir(str(PurePosixPath(target).parent), recursive=True)
                    self.filesystem.move(info.path, target)
            self.filesystem.delete_dir(folder)

    def as_there(self, table: pa.Table, where: str) -> pa.Table:
        """Return ``table`` with the columns, order and types of the files that are there."""
        found = self.parquet()
        if not found:
            return table
        schema = self.dataset().schema
        # What Feast makes of a frame's index when it is not 0, 1, 2 ...
        index = [name for name in table.column_names if name.startswith("__index_level_")]
        table = table.drop_columns(index)
        if set(schema.names) != set(table.column_names):
            raise InvalidInput("columns", where, str(sorted(schema.names)), table.column_names)
        try:
            return table.select(schema.names).cast(schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInput("columns", where, str(schema), str(table.schema)) from error

    def dataset(self) -> Any:
        """Return its files as one of Arrow's datasets."""
        return ds.dataset(self.parquet(), filesystem=self.filesystem, partitioning="hive")

    def write(self, path: str, table: pa.Table) -> None:
        """Write one file; who reads meanwhile sees what was there before."""
        if not self.local:  # An object of S3 appears when its last byte was sent.
            pq.write_table(table, path, filesystem=self.filesystem)
            return
        folder, name = os.path.split(path)
        self.filesystem.create_dir(folder, recursive=True)
        unfinished = f"{folder}/.{name}.{uuid.uuid4().hex}"
        try:
            pq.write_table(table, unfinished, filesystem=self.filesystem)
            self.filesystem.move(unfinished, path)
        except BaseException:
            if self._type(unfinished) != fs.FileType.NotFound:
                self.filesystem.delete_file(unfinished)
            raise

    def replace(self, table: pa.Table) -> None:
        """Write ``table`` in place of all that is there, the new file first."""
        before = self.parquet()
        if self._type(self.path) == fs.FileType.File:
            self.write(self.path, table)
            return
        self.add(table)
        for path in before:
            self.filesystem.delete_file(path)

    def _type(self, path: str) -> Any:
        return self.filesystem.get_file_info(path).type

    def _partitions(self) -> list[str]:
        """Return the keys of the hive partitions that the files lie in."""
        first = next(iter(self.parquet()), self.root())
        parts = PurePosixPath(first).relative_to(self.root()).parts[:-1]
        return [part.partition("=")[0] for part in parts if "=" in part]


def place(path: str, endpoint: str = "") -> Place:
    """Return the place that ``path`` names; ``endpoint``: S3's, else that of the environment."""
    if not path.startswith(S3):
        return Place(fs.LocalFileSystem(), path.removeprefix("file://").rstrip("/"), local=True)
    endpoint = endpoint or os.environ.get("AWS_ENDPOINT_URL_S3", "")
    address = urlsplit(endpoint or os.environ.get("AWS_ENDPOINT_URL", ""))
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    options = {"endpoint_override": address.netloc or None, "scheme": address.scheme or "https"}
    filesystem = fs.S3FileSystem(region=region, **options)
    return Place(filesystem, path.removeprefix(S3).rstrip("/"), local=False)


def _matches(name: str, pattern: str) -> bool:
    """Return whether a glob's pattern fits: ``*`` within one folder, ``**`` over folders.

    >>> _matches("a/b/c.parquet", "a/*.parquet"), _matches("a/b/c.parquet", "a/**")
    (False, True)
    """
    if "**" in pattern:
        return fnmatch(name, pattern)
    ours, theirs = name.split("/"), pattern.split("/")
    return len(ours) == len(theirs) and all(map(fnmatch, ours, theirs))


def _is_file(path: str) -> bool:
    return path.endswith(SUFFIX)
