"""The business review: continue, pivot or end, from what was served; run it once a period."""

from kfp import dsl

from components.review import review
from pipelines.credentials import lent


@dsl.pipeline(name="business-review", description="Say whether a loop still earns its keep.")
def business_review(loop: str, store: str = "", until: str = "", spec: str = "") -> dict:
    """Return the decision and where the review lies in the store.

    loop: a use case or its loop's name. store: the object store, by default DRIFTLOOP_STORE.
    until: nothing known later is used (RFC 3339), by default the end of the newest day served.
    spec: the loop's spec as JSON where it is not the use case's own.
    """
    return lent(review(loop=loop, store=store, until=until, spec=spec)).output
