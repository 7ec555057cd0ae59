"""The point-in-time join as Spark's plan: one shuffle and one window for each set of join keys.

Entity rows and feature rows with the same keys go to one task, which passes over them in order of
the time from which each is known: the entity row's time, or the feature row's k (event, or under
a cut-off max(event, created)), feature rows first. The newest (event, created) so far is what was
known, so a running maximum of it holds the value: rows that set no new maximum never count. It is
the plan of ``feast_asof.join`` with both of its steps in one pass; n log n, by the sort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import NamedTuple

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as fn

from driftloop.adapters.feast_asof.join import CREATED, EVENT, KNOWN, TIME
from driftloop.adapters.feast_spark.columns import as_type, column, kinds

ASKED, ASKS, APART = "__asked", "__asks", "__apart"


class Key(NamedTuple):
    """A join key: the view's column, the entity rows', and the type to compare them in."""

    ours: str
    theirs: str
    kind: str


@dataclass(frozen=True)
class View:
    """One feature view of a join.

    ``rows``: with the columns ``EVENT`` and, where ``created``, ``CREATED``, both integers of the
    unit that ``TIME`` has. ``features``: its column and the name asked for. ``ttl``: of that unit;
    0 for none.
    """

    name: str
    rows: DataFrame
    keys: tuple[Key, ...]
    features: tuple[tuple[str, str], ...]
    ttl: int
    created: bool


def point_in_time(asked: DataFrame, views: Sequence[View], cutoff: bool) -> DataFrame:
    """Return ``asked``, entity rows with ``TIME``, once each, ``event(n)`` and the features.

    Event time and values are null where no row of the n-th view is known, or the one that counts
    is older than the view's TTL. The rows come in no order.
    """
    names = [name for name in asked.columns if name != TIME]
    types = kinds(asked)
    joined = asked.select(fn.struct(*map(column, names)).alias(ASKED), TIME)
    for keys, numbers in _by_keys(views).items():
        theirs = [as_type(fn.col(ASKED).getField(n), types[n], kind) for n, kind in keys]
        joined = _passed(joined, theirs, {n: _candidates(views[n], n, cutoff) for n in numbers})
    shown = [fn.col(ASKED).getField(name).alias(name) for name in names]
    found = [result for n, view in enumerate(views) for result in _result(view, n)]
    return joined.select(*shown, TIME, *found)


def event(n: int) -> str:
    """Return the column with the event time of the n-th view's row for an entity row."""
    return f"__event_{n}"


def rank(rows: DataFrame, times: Sequence[str], values: Sequence[str]) -> Column:
    """Return what orders the rows of a key: ``times``, then the same one of equals each time."""
    types = {name: kind.simpleString() for name, kind in kinds(rows).items()}
    hashed = [column(name) for name in values if "map<" not in types[name]]  # Maps have no hash.
    return fn.struct(*times, fn.xxhash64(*hashed, fn.lit(0)).alias("hash"))


def _by_keys(views: Sequence[View]) -> dict[tuple[tuple[str, str], ...], list[int]]:
    """Return the numbers of the views that each set of keys of the entity rows is for."""
    found: dict[tuple[tuple[str, str], ...], list[int]] = {}
    for n, view in enumerate(views):
        found.setdefault(tuple((key.theirs, key.kind) for key in _in_order(view)), []).append(n)
    return found


def _in_order(view: View) -> list[Key]:
    return sorted(view.keys, key=lambda key: key.theirs)


def _passed(
    joined: DataFrame, keys: Sequence[Column], candidates: dict[int, DataFrame]
) -> DataFrame:
    """Return ``joined`` with a column ``_best(n)`` more for each of ``candidates``."""
    # A null key matches nothing; all of its rows in one task would only be slow.
    apart = fn.when(reduce(or_, [key.isNull() for key in keys], fn.lit(False)), fn.col(TIME))
    order = [fn.col(TIME).alias(KNOWN), fn.lit(True).alias(ASKS)]
    rows = joined.select("*", *_keyed(keys), apart.alias(APART), *order)
    for frame in candidates.values():
        rows = rows.unionByName(frame, allowMissingColumns=True)
    seen = _so_far(len(keys))
    best = [fn.max_by(_value(n), _rank(n)).over(seen).alias(_best(n)) for n in candidates]
    return rows.select(*joined.columns, ASKS, *best).filter(ASKS).drop(ASKS)


def _so_far(keys: int) -> WindowSpec:
    """Return the window of what was known when a row comes; False, a feature row, sorts first."""
    rows = Window.partitionBy(*map(_key, range(keys)), APART).orderBy(KNOWN, ASKS)
    return rows.rowsBetween(Window.unboundedPreceding, Window.currentRow)


def _candidates(view: View, n: int, cutoff: bool) -> DataFrame:
    """Return the rows of the n-th view, as they go into the pass."""
    cut, types = cutoff and view.created, kinds(view.rows)
    times = [EVENT, *([CREATED] if view.created else [])]
    keys = [as_type(column(k.ours), types[k.ours], k.kind) for k in _in_order(view)]
    names = [name for name, _ in view.features]
    values = [column(name).alias(f"f{i}") for i, name in enumerate(names)]
    # A row whose created timestamp is unknown was never known under a cut-off.
    needed = [*map(fn.col, times if cut else [EVENT]), *keys]
    return view.rows.filter(reduce(and_, [value.isNotNull() for value in needed])).select(
        *_keyed(keys),
        (fn.greatest(*times) if cut else fn.col(EVENT)).alias(KNOWN),
        fn.lit(False).alias(ASKS),
        rank(view.rows, times, names).alias(_rank(n)),
        fn.struct(EVENT, *values).alias(_value(n)),
    )


def _result(view: View, n: int) -> list[Column]:
    """Return the event time and the features of the row that counts, unless it expired."""
    best = fn.col(_best(n))
    time = best.getField(EVENT)
    valid = fn.col(TIME) - time <= view.ttl if view.ttl else time.isNotNull()
    features = [
        fn.when(valid, best.getField(f"f{i}")).alias(name)
        for i, (_, name) in enumerate(view.features)
    ]
    return [fn.when(valid, time).alias(event(n)), *features]


def _keyed(keys: Sequence[Column]) -> list[Column]:
    return [key.alias(_key(i)) for i, key in enumerate(keys)]


def _key(i: int) -> str:
    return f"__key_{i}"


def _rank(n: int) -> str:
    return f"__rank_{n}"


def _value(n: int) -> str:
    return f"__value_{n}"


def _best(n: int) -> str:
    return f"__best_{n}"
