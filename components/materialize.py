"""Copy the newest feature values to the online store that serves them."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def materialize(loop: str, store: str, until: str) -> dict:
    """Copy the newest feature values to the online store that serves them."""
    from driftloop.training import steps

    return steps.materialize(loop, store, until)
