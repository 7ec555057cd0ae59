"""Progress: a rollout between two looks, and what follows from a look.

- A breached guardrail sends the candidate back at once, and so does silence beside a stable one.
- All guardrails surely kept promote it at once: evidence this strong needs no further step.
- A step ends after ``hold`` with enough requests of both bundles, unless something looks bad.
- At the end of ``patience`` the candidate is held: traffic goes back, and a person may approve it.

The first look only notes where the counters stand: what a process did before is of another time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from driftloop.quantities import show_duration
from driftloop.rollout.arm import Arm, Seen
from driftloop.rollout.evidence import Evidence
from driftloop.rollout.guardrail import Guardrail
from driftloop.rollout.outcomes import Beside
from driftloop.rollout.passed import Passed
from driftloop.spec.rollout import Rollout as Policy
from driftloop.value import Value

SILENT = 3
"""Looks in a row at which a candidate that says nothing is given up."""
Move = Literal["wait", "advance", "promote", "withdraw", "hold"]


class Progress(Value):
    """A bundle on its way into service.

    ``step``: index of the share of traffic it has, since ``since``; ``requests``, ``others``: those
    that it and the stable bundle answered at this step; ``silent``: looks in a row at which none
    of its processes told anything; ``looked``: whether there was a first look; ``seen``: both
    bundles' counters at the last look, the candidate's first; ``shadow``: whether it has no traffic
    and is judged by the gate once more, on ``requests`` rows at least (``step``: how often it was).
    """

    passed: Passed
    stable: str
    since: datetime
    step: int = 0
    requests: int = 0
    others: int = 0
    silent: int = 0
    shadow: bool = False
    looked: bool = False
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
        fresh = before.news(candidate, from_start=self.looked)
        other = usual.news(stable, from_start=False)
        return self.model_copy(
            update={
                "seen": (before.after(candidate), usual.after(stable)),
                "requests": self.requests + fresh.requests,
                "others": self.others + other.requests,
                # Where the stable one says nothing either, it is the asking that fails.
                "silent": 0 if candidate else self.silent + bool(stable),
                "looked": True,
                "evidence": self.evidence.after(fresh, other, policy.guardrails),
            }
        )

    def matured(self, told: Beside) -> Progress:
        """Return the progress with what became of some predictions of both bundles."""
        if set(told.bundles) != {self.version, self.stable}:
            return self
        outcomes = self.evidence.outcomes.after(told, self.version)
        evidence = self.evidence.model_copy(update={"outcomes": outcomes})
        return self.model_copy(update={"evidence": evidence})

    def awaits(self, version: str, step: int | None) -> bool:
        """Return whether a judgement is of this bundle at this step: others had other bounds."""
        return version == self.version and step in (None, self.step)

    def waiting(self, needed: int) -> Progress:
        """Return the progress of a bundle that takes ``needed`` rows to be judged once more."""
        return self.model_copy(update={"requests": needed, "step": self.step + 1})

    def advanced(self, now: datetime) -> Progress:
        """Return the progress at the next step."""
        update = {"step": self.step + 1, "since": now, "requests": 0, "others": 0}
        return self.model_copy(update=update)


@dataclass(frozen=True)
class Next:
    """What follows from a look, and why; a candidate that is withdrawn does not come again."""

    move: Move
    reasons: tuple[str, ...] = ()


def judge(progress: Progress, policy: Policy, now: datetime) -> Next:
    """Return what follows from all looks so far at ``now``."""
    found = progress.evidence.guardrails(policy.guardrails, progress.passed.predicted)
    back = _back(progress, found)
    if back:
        return back
    share, spent = policy.share(progress.step), now - progress.since
    doubts = tuple(one.sentence for one in found if one.looks_bad)
    enough = progress.requests >= policy.requests and progress.others > 0
    if enough and not doubts and not progress.silent:
        if all(one.standing == "clear" for one in found):
            return Next("promote", ("Every guardrail is surely kept.",))
        if spent >= policy.hold:
            reason = f"{show_duration(policy.hold)} at {share:.0%} without a breach."
            is_last = progress.step + 1 >= len(policy.steps)
            return Next("promote" if is_last else "advance", (reason,))
    if spent < policy.patience:
        return Next("wait")
    few = f"{progress.requests} requests came at {share:.0%}, {progress.others} beside them."
    return Next("hold", doubts if enough and doubts else (few, *doubts))


def _back(progress: Progress, found: Sequence[Guardrail]) -> Next | None:
    """Return that the candidate is sent back, where it is."""
    breached = [one for one in found if one.standing == "breached"]
    reasons = tuple(one.sentence for one in breached)
    if progress.silent >= SILENT:
        reasons += (f"None of its processes answered at {progress.silent} looks in a row.",)
    if not reasons:
        return None
    # A node that was drained is no fault of a bundle's: a person may approve it.
    return Next("withdraw" if any(one.blocks for one in breached) else "hold", reasons)
