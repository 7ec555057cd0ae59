"""Order: what a cohort job is told of its loop, since only the controller knows it. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from driftloop.rollout.progress import Progress
from driftloop.state import Interval, State
from driftloop.value import Value
from driftloop_contracts.errors import InvalidInput

WHERE = "the order of a cohort job"


class Order(Value):
    """The bundle in service, and the one that nobody sees, if there is one.

    ``champion``: '' where it is not known: then that of the newest record counts as it;
    ``rollout``: of a bundle in the shadow, or of one that the gate held; ``quarantine``: what was
    broken since that began; ``spec``: the loop's, where it is declared elsewhere than in its use
    case.
    """

    champion: str = ""
    rollout: Progress | None = None
    quarantine: tuple[Interval, ...] = ()
    spec: dict[str, Any] | None = None

    def to_json(self) -> str:
        """Return it as a job's environment or a pipeline's parameter has it."""
        return self.model_dump_json(exclude_defaults=True)


def of(state: State, spec: dict[str, Any] | None = None) -> Order:
    """Return what a job must know of a loop in ``state``."""
    rollout = state.rollout if state.rollout and state.rollout.shadow else state.again
    broken = tuple(one for one in state.quarantine if rollout and one.end > rollout.since)
    return Order(champion=state.champion, rollout=rollout, quarantine=broken, spec=spec)


def parse(text: str) -> Order:
    """Return the order in ``text`` ('': an empty one); raise InvalidInput.

    >>> parse('{"champion": "0001-1a2b3c4d"}').champion
    '0001-1a2b3c4d'
    """
    try:
        return Order.model_validate_json(text or "{}")
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(map(str, first["loc"])) or "the JSON"
        raise InvalidInput(what, WHERE, first["msg"], text[:60]) from error
