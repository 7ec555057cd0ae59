"""Cohort job: the CronJob that scores a loop's mature outcomes and tells the receiver of them.

It runs as an account without any right; its token is good for the receiver alone. What it must
know of the loop stands in its environment, so it asks the API server for nothing.

Source: Kubernetes, batch/v1 CronJob.
"""

from __future__ import annotations

from driftloop.loop import LearningLoop
from driftloop.resources import pod
from driftloop.resources.platform import Platform
from driftloop.resources.pod import CONFINED, UNPRIVILEGED, Manifest

JOB = "driftloop.io/job"
"""Label of a job's pods: not that of predictors, which a disruption budget counts."""
LONGEST_SECONDS = 3600
"""Time a job has; the next one goes on where it ended."""
LATEST_SECONDS = 1800
"""How much later than planned a job may start; the next one scores what it left."""


def cron_job(loop: LearningLoop, platform: Platform, order: str) -> Manifest:
    """Return a loop's CronJob; ``order``: what it is told, as cohorts/order.py writes it."""
    name = f"{loop.name}-cohort"
    labels = {JOB: name, "app.kubernetes.io/managed-by": "driftloop"}
    template = {"metadata": {"labels": labels}, "spec": _pod(loop, platform, order)}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": loop.metadata.namespace, "labels": labels},
        "spec": {
            "schedule": loop.spec.cohorts.schedule,
            "timeZone": "Etc/UTC",
            "suspend": loop.spec.paused,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATEST_SECONDS,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 2,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    "backoffLimit": 2,
                    "activeDeadlineSeconds": LONGEST_SECONDS,
                    "template": template,
                },
            },
        },
    }


def _pod(loop: LearningLoop, platform: Platform, order: str) -> Manifest:
    return {
        "serviceAccountName": platform.jobs_account,
        "automountServiceAccountToken": False,
        "restartPolicy": "Never",
        "securityContext": UNPRIVILEGED | {"fsGroup": UNPRIVILEGED["runAsUser"]},
        "containers": [_container(loop, platform, order)],
        "volumes": [pod.scratch(), pod.token(), *pod.authorities(platform)],
    }


def _container(loop: LearningLoop, platform: Platform, order: str) -> Manifest:
    environ = {
        "DRIFTLOOP_USECASE": loop.name,
        "DRIFTLOOP_ORDER": order,
        "DRIFTLOOP_SINK": platform.sink,
        "DRIFTLOOP_TOKEN_FILE": pod.TOKEN_FILE,
    }
    image, module = loop.spec.image or platform.image, "driftloop.services.cohort"
    container = pod.container("cohort", image, module, environ, platform)
    own = {"secretRef": {"name": platform.jobs_credentials, "optional": True}}
    return container | {
        "securityContext": CONFINED,
        # Its own keys, where there are any, stand before those of the namespace.
        "envFrom": [*container["envFrom"], own],
        "resources": pod.resources("250m", "1", "512Mi", "2Gi"),
        "volumeMounts": [*container["volumeMounts"], pod.TOKEN_MOUNT],
    }
