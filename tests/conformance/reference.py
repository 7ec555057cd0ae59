"""What a point-in-time join means, in plain Python."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

Row = dict[str, Any]
NEVER = datetime.min


def point_in_time(
    entities: list[Row], rows: list[Row], keys: list[str], ttl: timedelta, cutoff: bool
) -> list[Row | None]:
    """Return for each of ``entities`` the feature row that was known at its event_timestamp."""

    def known(row: Row, entity: Row) -> bool:
        time = entity["event_timestamp"]
        return (
            all(entity[key] is not None and row[key] == entity[key] for key in keys)
            and row["event"] <= time
            and not (ttl and row["event"] < time - ttl)
            and not (cutoff and (row["created"] is None or row["created"] > time))
        )

    def newest(row: Row) -> tuple[datetime, datetime]:
        return row["event"], row["created"] or NEVER

    return [max((r for r in rows if known(r, e)), key=newest, default=None) for e in entities]
