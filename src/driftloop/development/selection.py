"""Selection: what the importances and probes suggest of each column. Nothing is dropped here.

A person decides: a column may be noise on these rows and yet be needed after the next change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from driftloop.development.dropping import Dropped
from driftloop.development.importance import Importance
from driftloop.development.probes import Probe

DROP, LOOK, KEEP = "drop", "look", "keep"
HARMLESS = 0.005
"""Relative rise of the loss that a fit without a column may surely not exceed to be as good."""


@dataclass(frozen=True)
class Suggestion:
    """``what`` (drop, look, keep) is suggested of ``columns``, and why."""

    columns: tuple[str, ...]
    what: str
    reason: str

    def to_data(self) -> dict[str, object]:
        """Return the suggestion, ready for JSON."""
        return {"columns": list(self.columns), "what": self.what, "reason": self.reason}


def suggest(
    importances: Sequence[Importance], probes: Sequence[Probe], dropped: Sequence[Dropped] = ()
) -> list[Suggestion]:
    """Return what to look at first, then what may go, then what to keep."""
    looks = [Suggestion((one.column,), LOOK, text) for one in probes for text in _against(one)]
    checks = {one.columns: one for one in dropped}
    others = [_of(one, checks.get(one.columns)) for one in importances]
    order = (LOOK, DROP, KEEP)
    return sorted([*looks, *others], key=lambda one: order.index(one.what))


def _against(one: Probe) -> list[str]:
    """Return the sentences that speak against a column."""
    name, found = one.column, []
    if one.leaked and one.explained is not None:
        found.append(
            f"{name} alone explains {one.explained:.0%} of the outcomes' deviance: it seems to "
            "be written after the outcome."
        )
    if one.constant:
        found.append(f"{name} has one value in all rows that are learned from.")
    if one.stopped:
        found.append(f"{name} varied before and has one value in the held-out rows.")
    elif one.moved is not None:
        found.append(
            f"{name} is not distributed as it was: a share moved by {one.moved:.2f} (Cohen's h)."
        )
    return found


def _of(one: Importance, check: Dropped | None) -> Suggestion:
    low, rise, high = one.rise
    names = " and ".join(one.columns)
    verb = "are" if len(one.columns) > 1 else "is"
    told = f"the held-out loss rises by {rise:+.2%} [{low:+.2%}, {high:+.2%}]"
    if not one.is_noise:
        return Suggestion(one.columns, KEEP, f"Without what {names} tell{_s(one)}, {told}.")
    if check and check.rise.high > HARMLESS:
        bound = f"a fit without may be up to {check.rise.high:.2%} worse"
        return Suggestion(one.columns, KEEP, f"{names} {verb} noise by permutation, but {bound}.")
    also = f"; a fit without differs by {check.rise.estimate:+.2%}" if check else ""
    reason = f"{names} {verb} noise: permuted, {told}, which does not exclude 0{also}."
    return Suggestion(one.columns, DROP, reason)


def _s(one: Importance) -> str:
    return "" if len(one.columns) > 1 else "s"
