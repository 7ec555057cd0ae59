"""The point-in-time join as SQL: each entity row gets what was known of its keys at its time.

With a created-timestamp cut-off a feature row is known from k = max(event, created) on. Of the
rows known at a time, the one with the newest (event, created) counts; so in order of k only rows
that set a new maximum of it can ever count. They are kept by one window, and one ASOF join on k
finds the right one: n log n in all.
"""

from __future__ import annotations

from dataclasses import dataclass

ROWS = "entity_rows"
"""The table of entity rows: its join keys, ``TIME`` and ``ROW``."""
TIME, ROW = "__time", "__row"
EVENT, CREATED, KNOWN = "__event", "__created", "__known"


@dataclass(frozen=True)
class View:
    """One feature view of a join.

    ``relation``: table with the columns ``EVENT`` and, where ``created``, ``CREATED``, both
    integers of the unit that ``TIME`` has. ``keys``: its key and the entity rows' column for each
    join key. ``features``: its column and the name asked for. ``ttl``: of that unit; 0 for none.
    """

    name: str
    relation: str
    keys: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str], ...]
    ttl: int
    created: bool


def quoted(name: str) -> str:
    """Return ``name`` as an SQL identifier.

    >>> quoted('of "7" days')
    '"of ""7"" days"'
    """
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return ``text`` as an SQL string.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def point_in_time(views: list[View], cutoff: bool, rows: str = ROWS) -> str:
    """Return the query of ``ROW``, the time ``event(n)`` of each view's row, and the features.

    ``rows``: the table of entity rows. Time and values are null where no row is known, or the
    one that counts is older than the view's TTL.
    """
    columns, joins = [ROW], [f"{rows} r"]
    for n, view in enumerate(views):
        columns.append(f"CASE WHEN {_valid(view, n)} THEN v{n}.{EVENT} END AS {event(n)}")
        columns += [
            f"CASE WHEN {_valid(view, n)} THEN v{n}.{quoted(column)} END AS {quoted(name)}"
            for column, name in view.features
        ]
        joins.append(f"ASOF LEFT JOIN ({_candidates(view, cutoff)}) v{n} ON {_matches(view, n)}")
    return "\n".join([f"SELECT {', '.join(columns)} FROM", *joins, f"ORDER BY {ROW}"])


def event(n: int) -> str:
    """Return the column with the event time of the n-th view's row for an entity row."""
    return f"__event_{n}"


def _valid(view: View, n: int) -> str:
    age = f"r.{TIME} - v{n}.{EVENT}"
    return f"coalesce({age} <= {view.ttl}, false)" if view.ttl else f"v{n}.{EVENT} IS NOT NULL"


def _matches(view: View, n: int) -> str:
    equal = [f"r.{quoted(theirs)} = v{n}.{quoted(ours)}" for ours, theirs in view.keys]
    return " AND ".join([*equal, f"r.{TIME} >= v{n}.{KNOWN}"])


def _candidates(view: View, cutoff: bool) -> str:
    """Return the query of the feature rows that can ever count, each with its ``KNOWN``."""
    cut = cutoff and view.created
    columns = list(dict.fromkeys(c for pairs in (view.keys, view.features) for c, _ in pairs))
    known = f"greatest({EVENT}, {CREATED})" if cut else EVENT
    # A row whose created timestamp is unknown was never known under a cut-off.
    condition = f"{EVENT} IS NOT NULL" + (f" AND {CREATED} IS NOT NULL" if cut else "")
    keys = ", ".join(quoted(ours) for ours, _ in view.keys)
    order = [KNOWN, EVENT, *([f"{CREATED} NULLS FIRST"] if view.created else [])]
    # Of rows equal in all of these any one would do; the values make it the same one each time.
    order.append(f"hash({', '.join(quoted(c) for c in columns)})")
    counts = [f"lead({KNOWN}) OVER w IS DISTINCT FROM {KNOWN}"]
    if cut:
        counts.append(f"{EVENT} >= max({EVENT}) OVER w")
    partition = f"PARTITION BY {keys} " if keys else ""
    return (
        f"SELECT {', '.join(map(quoted, columns))}, {EVENT}, {KNOWN}\n"
        f"FROM (SELECT *, {known} AS {KNOWN} FROM {view.relation} WHERE {condition})\n"
        f"WINDOW w AS ({partition}ORDER BY {', '.join(order)})\n"
        f"QUALIFY {' AND '.join(counts)}"
    )
