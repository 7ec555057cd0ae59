"""What was asked of feature views: which columns of each, under which names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from feast.feature_view import DUMMY_ENTITY_ID


@dataclass(frozen=True)
class Request:
    """Feature views with projections, and references ``view:feature`` to their features."""

    views: list[Any]
    references: list[str]
    full_names: bool

    def features(self, view: Any) -> tuple[tuple[str, str], ...]:
        """Return the column and the name asked for of each feature of ``view``."""
        prefix = f"{view.projection.name_to_use()}:"
        columns = [r.removeprefix(prefix) for r in self.references if r.startswith(prefix)]
        shown = view.projection.name_alias or view.name
        return tuple((c, f"{shown}__{c}" if self.full_names else c) for c in columns)

    def keys(self, view: Any) -> tuple[tuple[str, str], ...]:
        """Return the view's and the entity rows' column for each join key; none if entity-less."""
        names = [column.name for column in view.entity_columns]
        mapped = view.projection.join_key_map
        return tuple((n, mapped.get(n, n)) for n in names if n != DUMMY_ENTITY_ID)

    def all_keys(self) -> list[str]:
        """Return the columns that entity rows need."""
        return list(dict.fromkeys(theirs for view in self.views for _, theirs in self.keys(view)))
