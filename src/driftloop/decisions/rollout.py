"""Rollout: what follows from the gate's yes, from each look at both bundles, and from a person."""

from __future__ import annotations

from datetime import datetime

from driftloop.decisions import promotion
from driftloop.decisions.action import Alert, Decision, Promote, Shift, Withdraw
from driftloop.decisions.event import RolloutObserved, ShadowJudged
from driftloop.loop import LoopSpec
from driftloop.quantities import show_duration
from driftloop.rollout import progress
from driftloop.rollout.outcomes import Beside
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Next, Progress
from driftloop.state import State
from driftloop_contracts import bundle

PREVIOUS = "previous"
"""Stands for the champion before, or for the stable bundle while another is on its way."""


def begun(
    state: State, passed: Passed, spec: LoopSpec, now: datetime, *, seen_since: bool = False
) -> Decision:
    """Give a bundle that passed the gate its first share of traffic, or all of it at once.

    ``seen_since``: the gate judged it on what was answered since, so a shadow has no more to tell.
    """
    if passed.version in state.blocked:
        reason = f"{passed.version} was sent back before and does not come again."
        return promotion.unpromoted(state, spec, reason)
    said = f"{passed.version} passed the gate."
    is_shadow = spec.rollout.mode == "shadow"
    if spec.rollout.mode == "direct" or not state.champion or (is_shadow and seen_since):
        return promotion.promoted(state, passed, said)
    started = Progress(passed=passed, stable=state.champion, since=now, shadow=is_shadow)
    update = {"rollout": started, "held": None, "again": None}
    if is_shadow:
        reason = f"It is judged once more on what {state.champion} answers from now on."
        return Decision(state.model_copy(update=update), reasons=(said, reason))
    action, reason = _share(started, spec)
    return Decision(state.model_copy(update=update), (action,), (said, reason))


def looked(state: State, event: RolloutObserved, spec: LoopSpec, now: datetime) -> Decision:
    """Take one look at both bundles, and do what follows."""
    known = state.rollout
    if known is None or known.shadow or event.version != known.version:
        return Decision(state)
    seen = known.after(event.candidate, event.stable, spec.rollout)
    return _followed(state.model_copy(update={"rollout": seen}), seen, spec, now)


def shadowed(state: State, event: ShadowJudged, spec: LoopSpec) -> Decision:
    """Do what the gate says of a bundle that nobody sees."""
    known = state.rollout
    if known is None or not known.shadow or not known.awaits(event.version, event.step):
        return Decision(state)
    over = state.model_copy(update={"rollout": None})
    if event.verdict == "promote":
        return promotion.promoted(over, known.passed, " ".join(event.reasons))
    if event.verdict == "reject":
        return _withdrawn(over, known, Next("withdraw", event.reasons), spec)
    waiting = known.waiting(event.needed)
    return Decision(state.model_copy(update={"rollout": waiting}), reasons=event.reasons)


def matured(state: State, told: Beside | None, spec: LoopSpec, now: datetime) -> Decision:
    """Take what became of predictions of both bundles; it can send one back, not further.

    Records of a time when a feature was broken tell of the feature.
    """
    known = state.rollout
    if known is None or known.shadow or told is None:
        return Decision(state)
    broken = any(i.start <= told.end and told.start < i.end for i in state.quarantine)
    seen = known if broken else known.matured(told)
    if seen is known:
        return Decision(state)
    state = state.model_copy(update={"rollout": seen})
    if progress.judge(seen, spec.rollout, now).move not in ("hold", "withdraw"):
        return Decision(state)
    return _followed(state, seen, spec, now)


def passed_time(state: State, spec: LoopSpec, now: datetime) -> Decision:
    """Let patience end even where nobody looks any more; only a look brings a bundle further."""
    known = state.rollout
    if known is None:
        return Decision(state)
    if known.shadow:
        return _patience(state, known, spec, now)
    if progress.judge(known, spec.rollout, now).move not in ("hold", "withdraw"):
        return Decision(state)
    return _followed(state, known, spec, now)


def _patience(state: State, known: Progress, spec: LoopSpec, now: datetime) -> Decision:
    """Let the patience with a bundle end that nobody sees."""
    if now - known.since < spec.rollout.patience:
        return Decision(state)
    reason = f"No verdict in {show_duration(spec.rollout.patience)}."
    over = state.model_copy(update={"rollout": None})
    return _withdrawn(over, known, Next("hold", (reason,)), spec)


def rolled_back(state: State, version: str) -> Decision:
    """Put an earlier bundle into service as a person wants; what is left does not come again."""
    on_its_way = state.rollout
    if on_its_way and version in (PREVIOUS, on_its_way.stable):
        said = f"A person sent {on_its_way.version} back to {on_its_way.stable}."
        over = promotion.blocked(state, on_its_way.version).model_copy(update={"rollout": None})
        return Decision(over, (Withdraw(on_its_way.version, on_its_way.stable, said),), (said,))
    last = state.before[-1] if state.before else ""
    target = last if version == PREVIOUS else version
    if target not in state.before:
        known = ", ".join(state.before) or "none"
        reason = f"There is no champion {version} to go back to; those of the past: {known}."
        return Decision(state, reasons=(reason,))
    return _restored(state, target)


def _restored(state: State, target: str) -> Decision:
    """Make a champion of the past the champion again, whatever was on its way."""
    left = promotion.blocked(state, state.champion)
    if state.rollout:
        left = promotion.blocked(left, state.rollout.version)
    update = {
        "champion": target,
        "matured": None,
        "slices": (),
        "moved": (),
        "alike": False,
        "rollout": None,
        "again": None,
        # What is left is known still, as the last that ``previous`` would come to.
        "before": (state.champion, *(one for one in left.before if one != target)),
        "blocked": tuple(one for one in left.blocked if one != target),
    }
    said = f"A person put {target} back into service, in place of {state.champion}."
    number, _ = bundle.age(target)
    return Decision(left.model_copy(update=update), (Promote(target, number),), (said,))


def approved(state: State, version: str) -> Decision:
    """Promote what was held, as a person wants."""
    waits = state.again.passed if state.again else None
    for passed in (state.held, waits):
        if passed and passed.version == version:
            return promotion.promoted(state, passed, f"A person approved {version}.")
    return Decision(state, reasons=(f"{version} is not held.",))


def resumed(state: State, _: str) -> Decision:
    """Close the breaker."""
    if not state.unpromoted:
        return Decision(state)
    update = {"unpromoted": 0, "told": ()}
    return Decision(state.model_copy(update=update), reasons=("A person closed the breaker.",))


def _followed(state: State, seen: Progress, spec: LoopSpec, now: datetime) -> Decision:
    follows = progress.judge(seen, spec.rollout, now)
    if follows.move == "wait":
        return Decision(state)
    if follows.move == "advance":
        further = seen.advanced(now)
        action, reason = _share(further, spec)
        moved = state.model_copy(update={"rollout": further})
        return Decision(moved, (action,), (*follows.reasons, reason))
    over = state.model_copy(update={"rollout": None})
    if follows.move == "promote":
        return promotion.promoted(over, seen.passed, " ".join(follows.reasons))
    return _withdrawn(over, seen, follows, spec)


def _withdrawn(state: State, seen: Progress, follows: Next, spec: LoopSpec) -> Decision:
    """Send all traffic back; what breached does not come again, what was held may be approved."""
    said = f"{seen.version} gives way to {seen.stable}: {' '.join(follows.reasons)}"
    if follows.move == "withdraw":
        state = promotion.blocked(state, seen.version)
    else:
        state = state.model_copy(update={"held": seen.passed})
        said += " A person may approve it."
    actions = (Withdraw(seen.version, seen.stable, said), Alert("rollout", said))
    return Decision(state, actions).then(lambda s: promotion.unpromoted(s, spec, said))


def _share(seen: Progress, spec: LoopSpec) -> tuple[Shift, str]:
    share = spec.rollout.share(seen.step)
    said = f"{seen.version} takes {share:.0%} of the traffic."
    return Shift(seen.version, seen.stable, share), said
