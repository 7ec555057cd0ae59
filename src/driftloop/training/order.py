"""Order: what one run of the training pipeline is asked to do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

WHERE = "the pipeline's parameter 'order'"


@dataclass(frozen=True)
class Order:
    """A Retraining in the pipeline's words.

    ``cutoff``: nothing known later is used; ``champion``: the version in service ('' for none);
    ``onset``: since when the world has been different (None: not known to have changed);
    ``quarantine``: intervals whose rows came from a broken upstream; ``spec``: the loop's, where
    it is declared elsewhere than in the use case's loop.yaml; ``source``: which of its sources the
    rows are from ('' for what the loop says).
    """

    loop: str
    number: int
    cutoff: datetime
    cause: str = "manual"
    champion: str = ""
    onset: datetime | None = None
    quarantine: tuple[tuple[datetime, datetime], ...] = ()
    spec: Mapping[str, Any] | None = None
    source: str = ""

    @property
    def name(self) -> str:
        """Return the Retraining's name, `<loop>-<n>`."""
        return f"{self.loop}-{self.number}"

    def to_json(self) -> str:
        """Return the order as the pipeline's one parameter beside ``loop`` and ``store``."""
        # Left out where there is none, so that the steps of an older image can read it.
        source = {"source": self.source} if self.source else {}
        return json.dumps(
            {
                "number": self.number,
                "cutoff": times.to_text(self.cutoff),
                "cause": self.cause,
                "champion": self.champion,
                "onset": times.to_text(self.onset) if self.onset else None,
                "quarantine": [[times.to_text(a), times.to_text(b)] for a, b in self.quarantine],
                "spec": self.spec,
                **source,
            }
        )


def parse(loop: str, text: str, now: datetime) -> Order:
    """Return the order in ``text``; what it leaves out is a manual retraining at ``now``.

    >>> parse("ads-ctr", "{}", datetime.fromisoformat("2012-07-01T00:00:00Z")).name
    'ads-ctr-0'
    """
    try:
        given = json.loads(text or "{}")
        own = {"number", "cutoff", "cause", "champion", "onset", "quarantine", "spec"}
        known = own | {"source"}
        for name in set(given) - known:
            raise InvalidInput(name, WHERE, f"one of {sorted(known)}", name)
        quarantine = [
            (_time(a, "quarantine"), _time(b, "quarantine")) for a, b in given.get("quarantine", ())
        ]
        return Order(
            loop=loop,
            number=int(given.get("number", 0)),
            cutoff=_time(given["cutoff"], "cutoff") if "cutoff" in given else now,
            cause=str(given.get("cause", "manual")),
            champion=str(given.get("champion", "")),
            onset=_time(given["onset"], "onset") if given.get("onset") else None,
            quarantine=tuple(quarantine),
            spec=given.get("spec"),
            source=str(given.get("source", "")),
        )
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            "its text", WHERE, "a JSON object as docs/architecture.md has it", text
        ) from error


def _time(text: object, name: str) -> datetime:
    return times.from_text(text, name, WHERE)
