"""Environment: what a run's child processes are told, and nothing more."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

from driftloop import provenance
from driftloop.usecase import FOLDER_VARIABLE, UseCase
from driftloop_contracts import signature

COMPILED = Path("pipelines") / "compiled" / "training.yaml"
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
"""Variables of the caller that children see; the object store's keys are added."""


def for_children(usecase: UseCase, store: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this run's children, its secrets included."""
    kept = {name: environ[name] for name in PASSED_ON if name in environ}
    kept |= {name: value for name, value in environ.items() if name.startswith("AWS_")}
    # One thread each: two cores shared by five processes gain nothing from more.
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    own = {
        "DRIFTLOOP_USECASE": usecase.name,
        "DRIFTLOOP_LOOP": usecase.loop.name,
        "DRIFTLOOP_STORE": store,
        "DRIFTLOOP_SUPERVISED": "1",
        "DRIFTLOOP_HOST": "127.0.0.1",
        "DRIFTLOOP_PORT": "0",
        FOLDER_VARIABLE: str(usecase.folder.parent),
        provenance.COMMIT: environ.get(provenance.COMMIT) or provenance.commit(usecase.folder),
        "PYTHONUNBUFFERED": "1",
    }
    return kept | threads | own | optimised()


def keys(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the private key that signs this run's bundles and the public ones that verify them.

    Without any in ``environ`` they are made for this run alone.
    """
    given = environ.get(signature.SIGNING_KEY, ""), environ.get(signature.TRUSTED_KEYS, "")
    return given if any(given) else signature.pair()


def optimised() -> dict[str, str]:
    """Return the setting that drops asserts, where its bytecode was compiled at installation.

    Feast's import is mostly run-time type checks: 3.5 s with them, 1.1 s without. Without
    compiled bytecode the setting would cost more than it saves.
    """
    spec = importlib.util.find_spec("feast")
    if spec is None or spec.origin is None:
        return {}
    compiled = Path(importlib.util.cache_from_source(spec.origin, optimization="1"))
    return {"PYTHONOPTIMIZE": "1"} if compiled.exists() else {}


def project_root(usecase: UseCase) -> Path:
    """Return the folder that holds the compiled pipelines and the sidecar's environment.

    It is DRIFTLOOP_HOME, or the project that the use case lies in, or the one that this code is of.
    """
    if home := os.environ.get("DRIFTLOOP_HOME"):
        return Path(home).absolute()
    near, own = usecase.folder.parent.parent, Path(__file__).parents[3]
    return (near if (near / COMPILED).is_file() else own).absolute()
