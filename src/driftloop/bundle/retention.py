"""Retention: which bundles a loop still needs, and letting the others go.

What the ledger names stays: the champion, those of the past that a person may go back to, what is
on its way into service, what is held. So do the newest ones, of which some may not be judged yet.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from driftloop.resources import lineup as lineups
from driftloop.state import State
from driftloop_contracts import bundle
from driftloop_contracts.object_store import ObjectStore


def named(state: State) -> set[str]:
    """Return the versions that the ledger names."""
    rollout = (state.rollout.version, state.rollout.stable) if state.rollout else ()
    held = tuple(one.version for one in (state.held, state.again) if one)
    found = {state.champion, state.running_champion, *state.before, *rollout, *held}
    return found - {""}


def serving(service: Mapping[str, Any]) -> set[str]:
    """Return the versions that an InferenceService has pods of."""
    live = lineups.read(service)
    return {live.version, live.canary.version if live.canary else ""} - {""}


def expired(versions: Sequence[str], named: Collection[str], keep: int) -> list[str]:
    """Return the versions that may go, oldest first: neither named nor among the newest ``keep``.

    >>> expired(["0001-a", "0002-b", "0003-c", "0004-d"], {"0001-a"}, keep=2)
    ['0002-b']
    """
    oldest = sorted(versions, key=bundle.age)
    return [one for one in oldest[: max(0, len(oldest) - keep)] if one not in named]


def stored(store: ObjectStore, loop: str) -> list[str]:
    """Return the versions of which a file is left, oldest first."""
    prefix = bundle.key(loop, "").rstrip("/") + "/"
    found = {key.removeprefix(prefix).partition("/")[0] for key in store.list(prefix)}
    return sorted(found, key=bundle.age)


def remove(store: ObjectStore, loop: str, version: str) -> None:
    """Remove a bundle, its manifest first: what is left after a kill is no bundle any more."""
    keys = store.list(bundle.key(loop, version))
    for key in sorted(keys, key=lambda key: not key.endswith(f"/{bundle.MANIFEST}")):
        store.remove(key)
