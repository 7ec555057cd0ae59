"""Settings: what a controller on Kubernetes is told, read once from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from driftloop.resources.platform import KNATIVE, STANDARD, Platform
from driftloop_contracts.errors import InvalidInput

WHERE = "the environment"


@dataclass(frozen=True)
class Settings:
    """Where the pipeline server is, what it runs, and how loops are served.

    ``namespaces``: those to watch (none: all); ``turn_seconds``: between two looks at the
    clock; ``kfp_multi_user``: runs belong to their loop's namespace; ``kfp_token``: file of a
    projected token for it; ``liveness``: where to answer probes; ``metrics``: the
    port to answer /metrics on (0: none); ``max_runs``: pipeline runs at once, of all loops.
    """

    platform: Platform
    package: Path
    kfp: str
    kfp_multi_user: bool = False
    kfp_token: str = ""
    namespaces: tuple[str, ...] = ()
    turn_seconds: float = 30.0
    liveness: str = ""
    metrics: int = 0
    max_runs: int = 20


def from_env(environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``environ``; raise InvalidInput for the first that is missing."""
    return Settings(
        platform=platform(environ),
        package=Path(environ.get("DRIFTLOOP_PIPELINE", "pipelines/compiled/training.yaml")),
        kfp=_required(environ, "DRIFTLOOP_KFP"),
        kfp_multi_user=environ.get("DRIFTLOOP_KFP_MULTI_USER", "") == "1",
        kfp_token=environ.get("DRIFTLOOP_KFP_TOKEN", ""),
        namespaces=tuple(environ.get("DRIFTLOOP_NAMESPACES", "").split()),
        liveness=environ.get("DRIFTLOOP_LIVENESS", ""),
        metrics=_port(environ.get("DRIFTLOOP_METRICS_PORT", "0")),
        max_runs=_runs(environ.get("DRIFTLOOP_MAX_RUNS", "20")),
        turn_seconds=_seconds(environ.get("DRIFTLOOP_TURN_SECONDS", "30")),
    )


def platform(environ: Mapping[str, str]) -> Platform:
    """Return how loops are served; raise InvalidInput for the first setting that is missing."""
    return Platform(
        image=_required(environ, "DRIFTLOOP_IMAGE"),
        sidecar_image=_required(environ, "DRIFTLOOP_SIDECAR_IMAGE"),
        store=_required(environ, "DRIFTLOOP_STORE"),
        sink=_required(environ, "DRIFTLOOP_SINK"),
        credentials=environ.get("DRIFTLOOP_CREDENTIALS", "driftloop-credentials"),
        service_account=environ.get("DRIFTLOOP_SERVICE_ACCOUNT", "driftloop-predictor"),
        authorities=environ.get("DRIFTLOOP_CA", ""),
        replicas=_replicas(environ.get("DRIFTLOOP_REPLICAS", "1-3")),
        environ=_pairs(environ.get("DRIFTLOOP_SERVING_ENV", "")),
        jobs_account=environ.get("DRIFTLOOP_JOBS_ACCOUNT", "driftloop-jobs"),
        mode=_mode(environ.get("DRIFTLOOP_KSERVE_MODE", STANDARD)),
    )


def _mode(text: str) -> str:
    if text not in (STANDARD, KNATIVE):
        raise InvalidInput("DRIFTLOOP_KSERVE_MODE", WHERE, f"{STANDARD} or {KNATIVE}", text)
    return text


def _replicas(text: str) -> tuple[int, int]:
    """Return the fewest and the most pods of a predictor.

    >>> _replicas("2-5")
    (2, 5)
    """
    least, _, most = text.partition("-")
    if not (least.isdecimal() and most.isdecimal() and 1 <= int(least) <= int(most) <= 1000):
        raise InvalidInput("DRIFTLOOP_REPLICAS", WHERE, "FEWEST-MOST, from 1 to 1000", text)
    return int(least), int(most)


def _pairs(text: str) -> dict[str, str]:
    """Return NAME=VALUE words as a mapping.

    >>> _pairs("OMP_NUM_THREADS=1 DRIFTLOOP_EVENT_TIME=1")
    {'OMP_NUM_THREADS': '1', 'DRIFTLOOP_EVENT_TIME': '1'}
    """
    words = [word.partition("=") for word in text.split()]
    for name, sign, _ in words:
        if not (name and sign):
            raise InvalidInput("DRIFTLOOP_SERVING_ENV", WHERE, "words NAME=VALUE", text)
    return {name: value for name, _, value in words}


def _port(text: str) -> int:
    """Return a port, 0 for none.

    >>> _port("9090")
    9090
    """
    if not (text.isdecimal() and int(text) <= 65535):
        raise InvalidInput("DRIFTLOOP_METRICS_PORT", WHERE, "a port, or 0 for none", text)
    return int(text)


def _runs(text: str) -> int:
    """Return a number of runs, 0 for no limit.

    >>> _runs("20")
    20
    """
    if not (text.isdecimal() and int(text) <= 100_000):
        raise InvalidInput("DRIFTLOOP_MAX_RUNS", WHERE, "a number of runs, or 0 for no limit", text)
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise InvalidInput("DRIFTLOOP_TURN_SECONDS", WHERE, "from 1 to 3600 seconds", text)
    return seconds


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidInput(name, WHERE, "set", "nothing")
    return value
