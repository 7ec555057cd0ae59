"""Commands that write a person's orders into a loop on a cluster: ``rollback | approve | resume``.

They only set a field of ``spec.orders``, as `kubectl patch` can.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from driftloop import clock
from driftloop_contracts import times
from driftloop_contracts.errors import InvalidInput

MANAGER = "driftloop-cli"
Name = Annotated[str, typer.Argument(metavar="LOOP", help="A LearningLoop.")]
Namespace = Annotated[str, typer.Option(help="Where the loop lives.")]


def rollback(
    name: Name,
    to: Annotated[str, typer.Option(help="A version; default: the one before.")] = "previous",
    namespace: Namespace = "default",
) -> None:
    """Put an earlier bundle into service; the one that it replaces does not come again."""
    _order(name, namespace, "rollback", f"{to} {_now()}")


def approve(
    name: Name,
    version: Annotated[str, typer.Argument(help="The bundle that a rollout held.")],
    namespace: Namespace = "default",
) -> None:
    """Put a bundle into service whose rollout was held."""
    _order(name, namespace, "approve", f"{version} {_now()}")


def resume(name: Name, namespace: Namespace = "default") -> None:
    """Let a loop retrain again whose retrainings promoted nothing too often."""
    _order(name, namespace, "resume", _now())


def _order(name: str, namespace: str, order: str, text: str) -> None:
    from driftloop.adapters.kubernetes_objects import Absent, Objects

    objects = Objects()
    try:
        known = objects.get("LearningLoop", namespace, name)
    except Absent:
        allowed = f"one of namespace {namespace}"
        raise InvalidInput("the loop", "the arguments", allowed, name) from None
    content: dict[str, Any] = {
        "apiVersion": known["apiVersion"],
        "kind": known["kind"],
        "metadata": {"name": name, "namespace": namespace},
        # All of them: what this manager leaves out it takes back.
        "spec": {"orders": {**known["spec"].get("orders", {}), order: text}},
    }
    objects.apply("LearningLoop", namespace, content, MANAGER)
    sys.stdout.write(f"{name}: {order} {text} is ordered.\n")


def _now() -> str:
    return times.to_text(clock.now())
