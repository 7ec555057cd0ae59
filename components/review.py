"""Read the KPI, what it costs and what another objective promises; continue, pivot or end."""

from kfp import dsl

from components import image


@dsl.component(base_image=image.PLATFORM, install_kfp_package=False)
def review(loop: str, store: str, until: str, spec: str) -> dict:
    """Read the KPI, what it costs and what another objective promises; continue, pivot or end."""
    from driftloop.business import steps

    return steps.review(loop, store, until, spec)
