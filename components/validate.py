"""Set aside the rows that break the contract; fail when they are many."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def validate(
    loop: str,
    store: str,
    order: str,
    rows: dsl.Input[dsl.Dataset],
    valid: dsl.Output[dsl.Dataset],
) -> None:
    """Set aside the rows that break the contract; fail when they are many."""
    from driftloop.training import carried, steps

    facts = steps.validate(loop, store, order, rows.path, valid.path)
    valid.metadata.update(carried.onward(facts, rows.metadata))
