"""Join every row with its features as they were known at its time."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def build_features(
    loop: str,
    store: str,
    order: str,
    valid: dsl.Input[dsl.Dataset],
    joined: dsl.Output[dsl.Dataset],
) -> None:
    """Join every row with its features as they were known at its time."""
    from driftloop.training import carried, steps

    facts = steps.build_features(loop, store, order, valid.path, joined.path)
    joined.metadata.update(carried.onward(facts, valid.metadata))
