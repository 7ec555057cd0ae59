"""Value: base of what the controller remembers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Base of the values that a state is made of: frozen, compared by content, JSON in and out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
