"""Contract: what a source promises of its rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from driftloop.quantities import Duration, PerTime, Share
from driftloop.spec.base import Spec


class Promised(Spec):
    """One column of a source.

    ``kind``: a time must carry its zone; ``range``: of a number, both ends allowed; ``values``:
    the only ones that a category may have (empty: any); ``max_missing``: share of rows without one.
    """

    name: str = Field(min_length=1)
    kind: Literal["numeric", "categorical", "time"]
    range: tuple[float | None, float | None] = (None, None)
    values: tuple[str, ...] = Field(default=(), max_length=200)
    max_missing: Share = Field(default="0%", validate_default=True)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Promised:
        low, high = self.range
        if self.kind != "numeric" and self.range != (None, None):
            raise ValueError("a column without a range where it is not numeric")
        if self.kind != "categorical" and self.values:
            raise ValueError("a column without values where it is not categorical")
        if low is not None and high is not None and low > high:
            raise ValueError("a range whose first number is not above its second")
        return self


class Volume(Spec):
    """How far a whole day's rows may be from what the days before had.

    ``days``: how many days before count; ``factor``: how many times more or less is no break;
    ``false_alarms``: the budget of steady traffic, for one look a day; ``lag``: how long after
    its end a day's rows are all there; ``seasonality``: weekly compares weekdays with the same.
    """

    days: int = Field(default=28, ge=3, le=400)
    factor: float = Field(default=2.0, gt=1)
    false_alarms: PerTime = Field(default="1 per 365d", validate_default=True)
    lag: Duration = Field(default="0s", validate_default=True)
    seasonality: Literal["none", "weekly"] = "none"


class Refers(Spec):
    """Columns whose values are keys of another source's rows.

    ``to``: the key's columns there (empty: of the same names); ``min_found``: share of the rows
    with a key that are found there.
    """

    columns: tuple[str, ...] = Field(min_length=1, max_length=10)
    source: str
    to: tuple[str, ...] = Field(default=(), max_length=10)
    min_found: Share = Field(default="99%", validate_default=True)

    @model_validator(mode="after")
    def _as_many(self) -> Refers:
        if self.to and len(self.to) != len(self.columns):
            raise ValueError("as many columns in 'to' as in 'columns'")
        return self

    @property
    def key(self) -> tuple[str, ...]:
        """Return the columns of the other source."""
        return self.to or self.columns


class Contract(Spec):
    """What a source promises; what it does not name is not looked at.

    ``key``: columns that together are there once; ``time``: the rows' time; ``freshness``: oldest
    newest row; ``max_bad``: share of rows that may be set aside; ``on_break``: whether a training
    tells and goes on or stops.
    """

    columns: tuple[Promised, ...] = Field(min_length=1, max_length=100)
    key: tuple[str, ...] = Field(default=(), max_length=10)
    time: str = "event_time"
    freshness: Duration | None = None
    volume: Volume | None = None
    refers: tuple[Refers, ...] = Field(default=(), max_length=20)
    max_bad: Share = Field(default="1%", validate_default=True)
    on_break: Literal["tell", "stop"] = "tell"

    @model_validator(mode="after")
    def _names_its_columns(self) -> Contract:
        names = [column.name for column in self.columns]
        if len(set(names)) < len(names):
            raise ValueError("columns of different names")
        times = [column.name for column in self.columns if column.kind == "time"]
        if (self.freshness or self.volume) and self.time not in times:
            raise ValueError(f"a time among its columns of kind time, {times}")
        used = {*self.key, *(name for one in self.refers for name in one.columns)}
        if not used <= set(names):
            raise ValueError(f"key and refers of its columns, {names}")
        return self
