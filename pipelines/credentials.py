"""Credentials of a step's pod: from a Secret of the namespace that the pipeline runs in."""

from kfp import dsl, kubernetes

SECRET = "driftloop-credentials"
"""A run on a laptop has its environment instead; so the Secret may be absent."""
KEYS = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "DRIFTLOOP_ONLINE_STORE",
    "DRIFTLOOP_REGISTRY",
    "DRIFTLOOP_TRUSTED_KEYS",
)
SIGNING, SIGNING_KEY = "driftloop-signing", "DRIFTLOOP_SIGNING_KEY"
"""A Secret of its own: of all steps only the one that packs a bundle may sign."""


def lent(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Return ``task``, its pod given the Secret's keys, and nothing of it from a cache.

    The data and the clock are part of every step's input, so no answer may be an old one.
    """
    kubernetes.use_secret_as_env(task, SECRET, {key: key for key in KEYS}, optional=True)
    return task.set_caching_options(False)


def may_sign(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Return ``task``, its pod given the key that signs bundles, if there is one."""
    kubernetes.use_secret_as_env(task, SIGNING, {SIGNING_KEY: SIGNING_KEY}, optional=True)
    return task
