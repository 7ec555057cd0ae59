"""Controller: reads the state, asks decisions, records, and does what is owed.

Whatever is killed between recording and doing is owed still and done by the next call, so
every actuator must be safe to repeat: names are deterministic, promotion is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from driftloop import decisions
from driftloop.decisions import RetrainingEnded, StageReturned, returns
from driftloop.decisions.returns import Sent
from driftloop.ledger import Conflict, Entry, Ledger
from driftloop.loop import LearningLoop
from driftloop.rollout.arm import Arm
from driftloop.services.controller import translation
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent

Emit = Callable[[CloudEvent], None]
ATTEMPTS = 10
"""Tries at recording a decision while others decide on the same loop."""


class Actuators(Protocol):
    """What the controller can do to the world; every call may be repeated after a kill."""

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> Outcome | None:
        """Run the training pipeline once for this order, or return how it ended before.

        None: it runs on its own, and ``Controller.ended`` is called when it has ended.
        """

    def promote(self, version: str) -> None:
        """Move all traffic to the bundle; return when the old pair is drained."""

    def shift(self, version: str, stable: str, share: float) -> None:
        """Serve ``version`` beside ``stable``, with this share of the traffic."""

    def withdraw(self, version: str, stable: str) -> None:
        """Move all traffic to ``stable`` and end what serves ``version``."""

    def answered(self, version: str) -> dict[str, Arm]:
        """Return what each process that serves ``version`` answered since its start."""


class Controller:
    """One loop's controller."""

    def __init__(
        self, loop: LearningLoop, ledger: Ledger, actuators: Actuators, emit: Emit
    ) -> None:
        self.loop, self.ledger, self.actuators, self.emit = loop, ledger, actuators, emit
        self.source = f"/driftloop/{loop.name}/controller"

    def receive(self, event: CloudEvent, now: datetime) -> None:
        """Take a CloudEvent once; scored windows and cohorts lead to decisions."""
        if event.type == event_types.WINDOW_SCORED:
            self.decide(translation.scored(event, now), now, taken=event)
        elif event.type == event_types.COHORT_SCORED and (told := translation.cohort(event)):
            self.decide(told, now, taken=event)
        elif event.type == event_types.SHADOW_JUDGED:
            self.decide(translation.shadow_judged(event), now, taken=event)
        elif event.type == event_types.STAGE_RETURNED:
            self.decide(translation.stage_returned(event), now, taken=event)
        elif self.ledger.take(event.source, event.id):
            self.emit(event)

    def decide(
        self, event: decisions.Event, now: datetime, taken: CloudEvent | None = None
    ) -> None:
        """Decide on ``event`` at ``now``, record it, and do all that is owed.

        ``taken``: the CloudEvent that brought it, if one did; a second delivery is let go.
        """
        delivery = (taken.source, taken.id) if taken else None
        for _ in range(ATTEMPTS):
            if delivery and self.ledger.delivered(*delivery):
                return
            state, generation = self.ledger.state(self.loop.name)
            decision = decisions.decide(state, event, self.loop.spec, now)
            if decision.state == state and not decision.reasons and delivery is None:
                return
            try:
                found = returns.of(state, event, decision)
                sent = [self._sent(one, event, now, taken) for one in found]
                entry = _entry(event, decision, now, delivery, sent)
                self.ledger.record(self.loop.name, generation, decision.state, entry)
            except Conflict:
                continue
            # A stage's return is owed, so it is told even if this is killed here.
            if taken and not isinstance(event, StageReturned):
                self.emit(taken)
            self.settle(now)
            return
        raise Conflict(f"{self.loop.name} changed {ATTEMPTS} times during one decision")

    def look(self, now: datetime) -> None:
        """Compare a bundle on its way into service with the one that is there, if there is one."""
        state, _ = self.ledger.state(self.loop.name)
        if state.rollout is None or state.rollout.shadow or self.ledger.owed(self.loop.name):
            return
        version, stable = state.rollout.version, state.rollout.stable
        sides = self.actuators.answered(version), self.actuators.answered(stable)
        self.decide(decisions.RolloutObserved(version, *sides), now)

    def settle(self, now: datetime) -> None:
        """Do every action that is owed, in order, those that come up on the way included.

        Where another call settles already, this one leaves them to it: before that one ends it
        looks again, so nothing is done twice and nothing is left.
        """
        while self.ledger.owed(self.loop.name):
            with self.ledger.acting(self.loop.name) as alone:
                if not alone:
                    return
                while owed := self.ledger.owed(self.loop.name):
                    self._do(*owed[0], now)

    def _do(self, seq: int, kind: str, content: dict[str, Any], now: datetime) -> None:
        decided = times.from_text(content.pop("decided"))
        getattr(self, f"_{kind}")(content, decided, now)
        self.ledger.done(self.loop.name, seq)

    def _open(self, content: dict[str, Any], decided: datetime, now: datetime) -> None:
        order = _order(self.loop.name, content, decided)
        opened = {"retraining": order.name} | {k: content[k] for k in ("causes", "quarantine")}
        self._tell(event_types.RETRAINING_OPENED, order.name, opened, decided)
        outcome = self.actuators.train(order, content["causes"])
        if outcome is not None:
            self.ended(order.number, outcome, now)

    def ended(self, number: int, outcome: Outcome, now: datetime) -> None:
        """Take how Retraining ``number`` ended; a second call changes nothing."""
        name = f"{self.loop.name}-{number}"
        self.ledger.close_retraining(name, outcome.verdict, outcome.version, outcome.reasons)
        ended = {
            "retraining": name,
            "verdict": outcome.verdict,
            "version": outcome.version,
            "reasons": list(outcome.reasons),
        }
        self._tell(event_types.RETRAINING_ENDED, name, ended, now)
        told = outcome.verdict, outcome.version, outcome.data_end, outcome.predicted
        why = outcome.reasons, outcome.returned, outcome.cause, outcome.needed
        self.decide(RetrainingEnded(number, *told, *why), now)

    def _promote(self, content: dict[str, Any], decided: datetime, now: datetime) -> None:
        self.actuators.promote(content["version"])
        name = f"{self.loop.name}-{content['number']}"
        promoted = {"version": content["version"], "retraining": name}
        # A version that a person went back to is promoted for the second time.
        key = f"{content['version']}/{times.to_text(decided)}"
        self._tell(event_types.ROLLOUT_PROMOTED, key, promoted, now)

    def _shift(self, content: dict[str, Any], decided: datetime, _: datetime) -> None:
        version, share = content["version"], content["share"]
        self.actuators.shift(version, content["stable"], share)
        key = f"{version}/{share:g}/{times.to_text(decided)}"
        self._tell(event_types.ROLLOUT_SHIFTED, key, content, decided)

    def _withdraw(self, content: dict[str, Any], decided: datetime, _: datetime) -> None:
        self.actuators.withdraw(content["version"], content["stable"])
        key = f"{content['version']}/{times.to_text(decided)}"
        self._tell(event_types.ROLLOUT_WITHDRAWN, key, content, decided)

    def _alert(self, content: dict[str, Any], decided: datetime, _: datetime) -> None:
        if content["kind"] == "data_fault":
            key = f"{times.to_text(decided)}/{','.join(content['features'])}"
            self._tell(event_types.DATA_FAULT, key, content, decided)

    def _defer(self, content: dict[str, Any], decided: datetime, _: datetime) -> None:
        key = f"{times.to_text(decided)}/{content['cause']['kind']}"
        self._tell(event_types.RETRAINING_DEFERRED, key, content, decided)

    def _sent(
        self, one: Sent, event: decisions.Event, now: datetime, taken: CloudEvent | None
    ) -> dict[str, Any]:
        brought = isinstance(event, StageReturned) and one.returned == event.returned
        return translation.sent(one, self.loop.name, now, taken if brought else None)

    def _return(self, content: dict[str, Any], decided: datetime, _: datetime) -> None:
        kind, source = event_types.STAGE_RETURNED, content.get("source", self.source)
        time = times.from_text(content["time"]) if "time" in content else decided
        self.emit(CloudEvent(content["id"], source, kind, time, content["data"], self.loop.name))

    def _tell(self, kind: str, key: str, data: dict[str, Any], now: datetime) -> None:
        # The id names the effect, so the same effect told twice after a kill is one event.
        self.emit(CloudEvent(f"{kind}/{key}", self.source, kind, now, data, self.loop.name))


def _entry(
    event: decisions.Event,
    decision: decisions.Decision,
    now: datetime,
    delivery: tuple[str, str] | None,
    sent: Sequence[dict[str, Any]],
) -> Entry:
    # An action that is done late, after a kill, still belongs to the instant of its decision.
    stamp = {"decided": times.to_text(now)}
    contents = [translation.content(action) for action in decision.actions]
    opened = [content for kind, content in contents if kind == "open"]
    # What moves traffic is not kept waiting; a training may take hours, so it is told of before.
    contents.sort(key=lambda one: one[0] == "open")
    first = len(contents) - len(opened)
    contents[first:first] = [("return", content) for content in sent]
    actions = tuple((kind, content | stamp) for kind, content in contents)
    return Entry(
        trigger=type(event).__name__,
        event_time=now,
        reasons=decision.reasons,
        actions=actions,
        retraining=opened[0] if opened else None,
        delivery=delivery,
    )


def _order(loop_name: str, content: dict[str, Any], cutoff: datetime) -> Order:
    onset = content["onset"]
    return Order(
        loop=loop_name,
        number=content["number"],
        cutoff=cutoff,
        cause="+".join(cause["kind"] for cause in content["causes"]),
        champion=content["champion"],
        onset=times.from_text(onset) if onset else None,
        quarantine=tuple(
            (times.from_text(a), times.from_text(b)) for a, b in content["quarantine"]
        ),
    )
