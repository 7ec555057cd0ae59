"""Reading: what is asked of an online store for one feature view, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import pandas as pd
from feast import FeatureView, RepoConfig
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value

NOTE = b"driftloop"
"""The key, which no entity has, of a table's note on how far its materialization came: where the
rows are lost, the note is lost as well."""

Written = tuple[EntityKey, dict[str, Value], datetime, datetime | None]
"""A row as Feast hands it to a store: key, values, event and created time."""


@dataclass(frozen=True)
class Read:
    """The features of ``view`` that are wanted of some entities; ``keys`` are serialized."""

    view: FeatureView
    features: tuple[str, ...]
    keys: tuple[bytes, ...]


@dataclass(frozen=True)
class Row:
    """What is stored of an entity: the event time in microseconds, each feature's bytes."""

    event: int
    values: Mapping[str, bytes]


class OnlineReader(Protocol):
    """What the project's online stores can do beyond Feast's interface."""

    def read_views(self, config: RepoConfig, reads: Sequence[Read]) -> list[dict[bytes, Row]]:
        """Return the stored row of each key that there is, for every one of ``reads``."""

    def progress(self, config: RepoConfig, view: FeatureView) -> tuple[str, int]:
        """Return the job that ``view`` was last materialized by, and the rows it had written."""

    def note_progress(self, config: RepoConfig, view: FeatureView, job: str, rows: int) -> None:
        """Remember how many rows of ``view`` the materialization ``job`` has written."""


def parts(reads: Sequence[Read], most: int) -> Iterator[list[Read]]:
    """Yield ``reads`` cut so that each part asks for at most ``most`` keys in all."""
    each = max(1, most // max(1, len(reads)))
    for first in range(0, max((len(read.keys) for read in reads), default=0), each):
        yield [replace(read, keys=read.keys[first : first + each]) for read in reads]


def known(created: datetime | None, event: datetime) -> datetime:
    """Return since when a row was known: a row that does not say it, since its event time."""
    return event if created is None or pd.isna(created) else created  # Feast says it with NaT.


def note(job: str, rows: int) -> bytes:
    """Return what is remembered of a materialization."""
    return f"{job}:{rows}".encode()


def noted(content: bytes | None) -> tuple[str, int]:
    """Return the job and its rows.

    >>> noted(note("a1b2", 30)), noted(None)
    (('a1b2', 30), ('', 0))
    """
    job, _, rows = (content or b":0").decode().partition(":")
    return job, int(rows)
