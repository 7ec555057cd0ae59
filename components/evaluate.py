"""Score candidate, release and champion on the same held-out rows."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def evaluate(
    loop: str,
    store: str,
    order: str,
    joined: dsl.Input[dsl.Dataset],
    candidate: dsl.Input[dsl.Model],
    release: dsl.Input[dsl.Model],
    scored: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> None:
    """Score candidate, release and champion on the same held-out rows."""
    from driftloop.training import carried, steps

    models = {"candidate": candidate.path, "release": release.path}
    found = steps.evaluate(loop, store, order, joined.path, models, candidate.metadata, scored.path)
    for name, value in found["metrics"].items():
        metrics.log_metric(name, value)
    scored.metadata.update(carried.onward(found, candidate.metadata))
