"""Say whether the candidate may replace the champion: promote, hold or reject."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def gate(
    loop: str,
    store: str,
    order: str,
    scored: dsl.Input[dsl.Dataset],
    bundle: dsl.Input[dsl.Artifact],
) -> str:
    """Say whether the candidate may replace the champion: promote, hold or reject."""
    from driftloop.training import steps

    return steps.gate(loop, store, order, scored.path, bundle.metadata)
