"""Write the bundle: model, drift baseline and thresholds under one version."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def package(
    loop: str,
    store: str,
    order: str,
    joined: dsl.Input[dsl.Dataset],
    release: dsl.Input[dsl.Model],
    scored: dsl.Input[dsl.Dataset],
    bundle: dsl.Output[dsl.Artifact],
) -> None:
    """Write the bundle: model, drift baseline and thresholds under one version."""
    from driftloop.training import steps

    facts = {**release.metadata, **scored.metadata}  # what was returned comes through both
    paths = {"joined": joined.path, "release": release.path, "scored": scored.path}
    bundle.metadata.update(steps.package(loop, store, order, paths, facts))
