"""Errors that a person reads.

DriftloopError            anything that ends a command with one sentence
├── InvalidInput          the caller's input is wrong: exit code 2, HTTP 400
├── BundleRefused         a bundle does not verify: it is not loaded
├── StoreUnavailable      the object store did not answer or refused
└── RunFailed             a run began and could not finish: exit code 1
"""

from __future__ import annotations

MAX_SHOWN = 120
"""Longest part of a received value that a message repeats, in characters."""


def shown(value: object) -> str:
    """Return ``value`` as a message shows it: quoted as Python would, cut when long.

    >>> shown("90 days")
    "'90 days'"
    """
    try:
        text = repr(value)
    except RecursionError:
        # JSON may nest as deep as its reader can just follow, which is too deep for repr here.
        return "something nested too deep to show"
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


class DriftloopError(Exception):
    """Base of every error whose text is one sentence for a person."""


class InvalidInput(DriftloopError):
    """Input that cannot be used, in the project's one template.

    >>> print(InvalidInput("drift.minEffect", "loop.yaml", "a number in (0, 1)", 1.5))
    drift.minEffect in loop.yaml must be a number in (0, 1). Got 1.5.
    """

    def __init__(self, what: str, where: str, allowed: str, got: object) -> None:
        super().__init__(f"{what} in {where} must be {allowed}. Got {shown(got)}.")
        self.what, self.where, self.allowed, self.got = what, where, allowed, got


class BundleRefused(DriftloopError):
    """A bundle that does not verify, or that this process cannot load."""


class StoreUnavailable(DriftloopError):
    """The object store refused or did not answer."""


class RunFailed(DriftloopError):
    """A run that began and could not finish."""
