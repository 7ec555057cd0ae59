"""Score the outcomes that became mature; judge the bundle in the shadow, if there is one."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def score_cohort(loop: str, store: str, until: str, order: str) -> dict:
    """Score the outcomes that became mature; judge the bundle in the shadow, if there is one."""
    from driftloop.cohorts import steps

    return steps.score(loop, store, until, order)
