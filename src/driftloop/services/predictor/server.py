"""The process: bundle verified, KServe's REST server around it, an orderly end."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import signal
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np
import uvicorn
from kserve import model_server
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.protocol.rest.server import RESTServer
from prometheus_client import REGISTRY

from driftloop import clock, usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.bundle import compatibility, model_file
from driftloop.features import logged
from driftloop.services import listener
from driftloop.services.predictor import metrics
from driftloop.services.predictor.counters import Counters
from driftloop.services.predictor.delivery import Delivery
from driftloop.services.predictor.failures import Failures
from driftloop.services.predictor.model import BundleModel
from driftloop.services.predictor.record import Origin, Record
from driftloop.services.predictor.recorder import Recorder
from driftloop.services.predictor.settings import Settings
from driftloop.usecase import UseCase
from driftloop_contracts import baseline, bundle, text
from driftloop_contracts.object_store import open_store

DRAIN_SECONDS = 15.0
"""Time to hand the last records over before the process ends."""


def load(settings: Settings) -> BundleModel:
    """Return the verified bundle's model; raise BundleRefused unless all of it verifies."""
    case = usecase.find(settings.usecase)
    store = open_store(settings.store)
    manifest = bundle.fetch(
        store, case.loop.name, settings.bundle, settings.scratch, settings.trusted
    )
    installed = {name: metadata.version(name) for name in compatibility.ALIKE}
    compatibility.check(settings.bundle, manifest.facts.get("libraries", {}), installed)
    counters, own = (
        Counters(),
        baseline.from_json((settings.scratch / bundle.BASELINE).read_bytes()),
    )
    kinds = logged.kinds(case.loop, own.kinds)
    words = settings.scratch / bundle.VOCABULARY if bundle.VOCABULARY in manifest.files else None
    return BundleModel(
        case,
        settings.bundle,
        model_file.load(settings.scratch / bundle.MODEL),
        _features(case, settings),
        _recorder(case, settings, counters, kinds),
        counters,
        pod_uid=settings.pod_uid,
        now=clock.now,
        replay=settings.event_time,
        vocabularies=text.from_json(words.read_bytes()) if words else {},
        propensities=logged.propensities(case.loop, own.kinds),
    )


def _recorder(
    case: UseCase, settings: Settings, counters: Counters, kinds: dict[str, str]
) -> Recorder:
    name, entity = case.loop.name, case.loop.spec.gate.entity

    def seen(records: Sequence[Record]) -> None:
        predictions = np.concatenate([record.predictions for record in records])
        counters.recorded(np.concatenate([r.column(entity) for r in records]), predictions)

    origin = Origin(name, settings.bundle, settings.pod_uid, kinds)
    delivery = Delivery(settings.sidecar) if settings.sidecar else None
    source = f"/driftloop/{name}/predictor/{settings.pod_uid}"
    return Recorder(delivery, source, origin, seen=seen)


def _features(case: UseCase, settings: Settings) -> FeatureRepository:
    """Return the feature repository; a shared online store's registry is this process's own."""
    repository = FeatureRepository(case, settings.feast, settings.online_store)
    if settings.online_store:
        repository.apply(settings.feast / "offline")
    return repository


def create_app(model: BundleModel) -> Any:
    """Return KServe's FastAPI app with this model, its status and its flush."""
    repository = model_server.ModelRepository()
    repository.update(model)
    dataplane = DataPlane(repository)
    extension = ModelRepositoryExtension(repository)
    RESTServer("kserve.model_server:app", dataplane, extension, 0).create_application()
    app = model_server.app

    @app.get("/driftloop/status")  # type: ignore[untyped-decorator]
    async def status() -> dict[str, Any]:
        return {
            "bundle": model.version,
            "pod_uid": model.pod_uid,
            **model.recorder.status(),
            "run": model.counters.run,
            "answered": model.counters.arm().model_dump(mode="json"),
        }

    @app.post("/driftloop/flush", status_code=202)  # type: ignore[untyped-decorator]
    async def flush() -> None:
        """Let the records that wait go to the sidecar now."""
        model.recorder.flush()

    return app


def serve(settings: Settings) -> None:
    """Serve until told to stop, then hand the last records over."""
    model = load(settings)
    REGISTRY.register(metrics.Records(model.recorder.status))
    bound = listener.bind(settings.host, settings.port)
    app = Failures(create_app(model), model.counters.failed)
    config = uvicorn.Config(app, log_config=None, access_log=False)
    server = listener.Server(config)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, server.stop)
    if settings.supervised:
        listener.await_parents_end(server.stop)
    # What was loaded stays: a collection that looked through it would hold requests up.
    gc.collect()
    gc.freeze()
    # Uvicorn's own choice of loop, uvloop where it is there, which ``asyncio.run`` would not take.
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[bound]))
    model.recorder.drain(DRAIN_SECONDS)


def warm() -> None:
    """Import what loading a bundle will need, while the bundle is still being made."""
    for name in ("skops.io", "sklearn.ensemble", "sklearn.calibration", "sklearn.compose"):
        importlib.import_module(name)


def quiet() -> None:
    """Keep KServe's line per request out of the log: it costs more than the request tells."""
    logging.getLogger("kserve").setLevel(logging.WARNING)
    logging.getLogger("kserve.trace").setLevel(logging.WARNING)
