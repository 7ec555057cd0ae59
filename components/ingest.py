"""Read the training window as it was known at the cut-off."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def ingest(loop: str, store: str, order: str, rows: dsl.Output[dsl.Dataset]) -> None:
    """Read the training window as it was known at the cut-off."""
    from driftloop.training import steps

    rows.metadata.update(steps.ingest(loop, store, order, rows.path))
