"""Progress: a rollout between two looks, and what follows from a look.

- A breached guardrail sends the candidate back at once, and so does silence.
- All guardrails clear promote it at once: evidence this strong needs no further step.
- A step ends after ``hold`` with enough requests, unless a guardrail looks bad without being sure.
- At the end of ``patience`` the candidate is held: traffic goes back, and a person may approve it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from driftloop.quantities import show_duration
from driftloop.rollout.arm import Arm, Seen
from driftloop.rollout.evidence import Evidence
from driftloop.rollout.passed import Passed
from driftloop.spec.rollout import Rollout as Policy
from driftloop.value import Value

SILENT = 3
"""Looks in a row at which a candidate that says nothing is given up."""
Move = Literal["wait", "advance", "promote", "withdraw", "hold"]


class Progress(Value):
    """A bundle on its way into service.

    ``step``: index of the share of traffic it has, since ``since``; ``requests``: those it
    answered at this step; ``silent``: looks in a row at which none of its processes told anything;
    ``seen``: both bundles' counters at the last look, the candidate's first.
    """

    passed: Passed
    stable: str
    since: datetime
    step: int = 0
    requests: int = 0
    silent: int = 0
    seen: tuple[Seen, Seen] = (Seen(), Seen())
    evidence: Evidence = Evidence()

    @property
    def version(self) -> str:
        """Return the bundle's version."""
        return self.passed.version

    def after(
        self, candidate: Mapping[str, Arm], stable: Mapping[str, Arm], policy: Policy
    ) -> Progress:
        """Return the progress with one more look at each process's counters."""
        before, usual = self.seen
        fresh, other = before.news(candidate), usual.news(stable)
        return self.model_copy(
            update={
                "seen": (before.after(candidate), usual.after(stable)),
                "requests": self.requests + fresh.requests,
                "silent": 0 if candidate else self.silent + 1,
                "evidence": self.evidence.after(fresh, other, policy.guardrails),
            }
        )

    def advanced(self, now: datetime) -> Progress:
        """Return the progress at the next step."""
        return self.model_copy(update={"step": self.step + 1, "since": now, "requests": 0})


@dataclass(frozen=True)
class Next:
    """What follows from a look, and why."""

    move: Move
    reasons: tuple[str, ...] = ()


def judge(progress: Progress, policy: Policy, now: datetime, *, maximize: bool = True) -> Next:
    """Return what follows from all looks so far at ``now``."""
    found = progress.evidence.guardrails(
        policy.guardrails, maximize=maximize, predicted=progress.passed.predicted
    )
    breached = tuple(one.sentence for one in found if one.standing == "breached")
    if progress.silent >= SILENT:
        breached += (f"None of its processes answered at {progress.silent} looks in a row.",)
    if breached:
        return Next("withdraw", breached)
    if all(one.standing == "clear" for one in found):
        return Next("promote", ("Every guardrail is clear.",))
    spent, is_last = now - progress.since, progress.step + 1 == len(policy.steps)
    share = policy.steps[progress.step]
    doubts = tuple(one.sentence for one in found if one.looks_bad)
    enough = progress.requests >= policy.requests
    if spent >= policy.hold and enough and not doubts:
        reason = f"{show_duration(policy.hold)} at {share:.0%} without a breach."
        return Next("promote" if is_last else "advance", (reason,))
    if spent < policy.patience:
        return Next("wait")
    few = f"Only {progress.requests} requests came at {share:.0%}."
    return Next("hold", doubts if enough else (few, *doubts))
