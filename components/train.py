"""Fit every estimator and choose by the metric on the held-out rows."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def train(
    loop: str,
    order: str,
    joined: dsl.Input[dsl.Dataset],
    candidate: dsl.Output[dsl.Model],
    release: dsl.Output[dsl.Model],
) -> None:
    """Fit every estimator and choose by the metric on the held-out rows."""
    from driftloop.training import carried, steps

    facts = steps.train(loop, order, joined.path, candidate.path, release.path)
    facts = carried.onward(facts, joined.metadata)
    candidate.metadata.update(facts)
    release.metadata.update(facts)
