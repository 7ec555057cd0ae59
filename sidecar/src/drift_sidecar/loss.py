"""Loss: which sequence numbers of each pod were acknowledged, and so which never arrived."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

MAX_RANGES = 10_000
"""Ranges remembered of one pod; beyond that the oldest gap counts as missing for good."""
MAX_PODS = 1000
"""Pods remembered; what the one longest silent lacks counts as missing for good."""


class Ranges:
    """The whole numbers seen from 0 on, as merged inclusive ranges in order."""

    def __init__(self, ranges: Sequence[Sequence[int]] = (), settled: int = 0) -> None:
        self._ranges = [(first, last) for first, last in ranges]
        self.settled = settled
        """Missing numbers below the first range that no late arrival can fill any more."""

    def add(self, first: int, last: int) -> None:
        """Take ``first`` to ``last``; what was seen already changes nothing.

        >>> seen = Ranges()
        >>> seen.add(0, 9), seen.add(20, 29), seen.missing
        (None, None, 10)
        >>> seen.add(5, 14), seen.missing
        (None, 5)
        """
        at = bisect_left(self._ranges, (first, -1))
        if at and self._ranges[at - 1][1] >= first - 1:
            at -= 1
        end = at
        while end < len(self._ranges) and self._ranges[end][0] <= last + 1:
            first = min(first, self._ranges[end][0])
            last = max(last, self._ranges[end][1])
            end += 1
        self._ranges[at:end] = [(first, last)]
        while len(self._ranges) > MAX_RANGES:
            self._settle()

    def _settle(self) -> None:
        """Close the oldest gap and count it, so that memory stays bounded."""
        (first, last), (after, end) = self._ranges[:2]
        self.settled += first if first else after - last - 1
        self._ranges[:2] = [(0, last), (after, end)] if first else [(0, end)]

    @property
    def missing(self) -> int:
        """Return how many numbers below the highest one were never seen."""
        seen = sum(last - first + 1 for first, last in self._ranges)
        return self.settled + (self._ranges[-1][1] + 1 - seen if self._ranges else 0)

    def to_data(self) -> dict[str, Any]:
        """Return the ranges as JSON has them."""
        return {"ranges": self._ranges, "settled": self.settled}


class Losses:
    """Ranges by pod, in bounded memory; not safe to share between threads."""

    def __init__(self, data: Mapping[str, Any] | None = None) -> None:
        told = data or {"pods": {}, "settled": 0}
        self._settled: int = told["settled"]
        self._pods = {pod: Ranges(**own) for pod, own in told["pods"].items()}

    def add(self, pod_uid: str, first: int, last: int) -> None:
        """Take the acknowledged rows ``first`` to ``last`` of a pod."""
        ranges = self._pods.pop(pod_uid, None) or Ranges()
        self._pods[pod_uid] = ranges
        ranges.add(first, last)
        if len(self._pods) > MAX_PODS:
            silent = next(iter(self._pods))
            self._settled += self._pods.pop(silent).missing

    def take(self, pod_uid: str, runs: Sequence[tuple[int, int]]) -> None:
        """Take several runs of acknowledged rows of a pod."""
        for first, last in runs:
            self.add(pod_uid, first, last)

    @property
    def missing(self) -> int:
        """Return how many rows were lost before they were acknowledged, in all pods."""
        return self._settled + sum(ranges.missing for ranges in self._pods.values())

    def to_data(self) -> dict[str, Any]:
        """Return the ledger as JSON has it."""
        pods = {pod: ranges.to_data() for pod, ranges in self._pods.items()}
        return {"pods": pods, "settled": self._settled}
