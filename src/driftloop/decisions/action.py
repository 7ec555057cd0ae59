"""Action: what a decision wants done, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from driftloop.state import Cause, Interval, State


@dataclass(frozen=True)
class OpenRetraining:
    """Start the pipeline once for the Retraining ``number``."""

    number: int
    causes: tuple[Cause, ...]
    onset: datetime | None
    champion: str
    quarantine: tuple[Interval, ...]


@dataclass(frozen=True)
class Promote:
    """Move all traffic to the bundle ``version``."""

    version: str
    retraining: int


@dataclass(frozen=True)
class Shift:
    """Give the bundle ``version`` this share of the traffic and ``stable`` the rest."""

    version: str
    stable: str
    share: float


@dataclass(frozen=True)
class Withdraw:
    """Give all traffic to ``stable``, and let ``version`` go; ``why``: a sentence."""

    version: str
    stable: str
    why: str


@dataclass(frozen=True)
class Alert:
    """Tell a person; ``kind`` is data_fault, drift, staleness, breaker or rollout."""

    kind: str
    text: str
    features: tuple[str, ...] = ()


@dataclass(frozen=True)
class Defer:
    """A cause did not open a retraining now, and why."""

    cause: Cause
    reason: str


Action = OpenRetraining | Promote | Shift | Withdraw | Alert | Defer


@dataclass(frozen=True)
class Decision:
    """The next state, what to do, and the sentences that say why."""

    state: State
    actions: tuple[Action, ...] = ()
    reasons: tuple[str, ...] = ()

    def then(self, rule: Callable[[State], Decision]) -> Decision:
        """Return this decision followed by what ``rule`` makes of its state."""
        following = rule(self.state)
        return Decision(
            following.state, self.actions + following.actions, self.reasons + following.reasons
        )
