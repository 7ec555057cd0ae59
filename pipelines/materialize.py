"""Materialization: the newest feature values into the online store; run it after each new day."""

from kfp import dsl

from components.materialize import materialize as step
from pipelines.credentials import lent


@dsl.pipeline(name="materialize", description="Copy a loop's newest features to its online store.")
def materialize(loop: str, store: str = "", until: str = "") -> dict:
    """Return what was copied.

    loop: a use case or its loop's name. store: the object store, by default DRIFTLOOP_STORE.
    until: the event time (ISO 8601) of the newest values to copy, by default now.
    """
    return lent(step(loop=loop, store=store, until=until)).output
