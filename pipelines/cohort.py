"""The cohort: what became mature since the last one, scored; a cluster's own job does the same."""

from kfp import dsl

from components.score_cohort import score_cohort
from pipelines.credentials import lent


@dsl.pipeline(name="cohort", description="Score a loop's outcomes that became mature.")
def cohort(loop: str, store: str = "", until: str = "", order: str = "{}") -> dict:
    """Return until when outcomes were scored, and the events that were left in the store.

    loop: a use case or its loop's name. store: the object store, by default DRIFTLOOP_STORE.
    until: nothing known later is used (RFC 3339), by default now, less the loop's delay.
    order: what only a controller knows, as driftloop.cohorts.order writes it.
    """
    return lent(score_cohort(loop=loop, store=store, until=until, order=order)).output
