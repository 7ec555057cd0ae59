"""Run: one command turns the loop on one machine, and leaves no process behind."""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from driftloop import last_run, parity_check, parquet
from driftloop.adapters.sqlite_ledger import SqliteLedger
from driftloop.archive import Archive
from driftloop.bundle import newest
from driftloop.laptop import console as view
from driftloop.laptop import environment, sink, summary
from driftloop.laptop.compare import Comparison
from driftloop.laptop.memory import PeakMemory
from driftloop.laptop.pipeline_process import PipelineProcess
from driftloop.laptop.replay import Replay
from driftloop.laptop.run_folder import RunFolder
from driftloop.laptop.serving import Serving
from driftloop.parity_check import Checked
from driftloop.rollout.arm import Arm
from driftloop.services.controller.controller import Controller
from driftloop.traffic import Traffic
from driftloop.training import outcome
from driftloop.training.order import Order
from driftloop.training.outcome import Outcome
from driftloop.training.target import Answers
from driftloop.usecase import Span, UseCase
from driftloop_contracts import signature, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput, RunFailed
from driftloop_contracts.object_store import ObjectStore, open_store

SETTLE = timedelta(days=14)
"""How long after a scheduled change its features may still move because of it."""


@dataclass(frozen=True)
class Request:
    """What the command was asked: use case, span of data, output folder, router's port."""

    usecase: UseCase
    span: Span
    out: Path
    port: int = 0
    compare: bool = True


class EventLog:
    """events.jsonl, every CloudEvent that reached or left the controller, in order."""

    def __init__(self, path: Path, show: Callable[[CloudEvent], None]) -> None:
        self._file, self._show = path.open("a", encoding="utf-8"), show
        self.events: list[dict[str, Any]] = []

    def emit(self, event: CloudEvent) -> None:
        """Write the event and show it."""
        self.events.append(event.to_dict())
        self._file.write(event.to_json().decode() + "\n")
        self._file.flush()
        self._show(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True)
class LaptopActuators:
    """Trains in a pipeline process and promotes by a new pair behind the router.

    ``source``: which of the loop's sources is replayed.
    """

    pipeline: PipelineProcess
    serving: Serving
    store: ObjectStore
    source: str

    def train(self, order: Order, causes: Sequence[dict[str, Any]]) -> Outcome:
        """Run the pipeline while the next pair's processes import their libraries."""
        self.serving.stand_by()
        return self.pipeline.train(replace(order, source=self.source), self.store)

    def promote(self, version: str) -> None:
        """Switch to the bundle's pair; the others are drained and ended."""
        self.serving.switch(version)

    def shift(self, version: str, stable: str, share: float) -> None:
        """Serve the bundle beside the one in service."""
        self.serving.share(version, share)

    def withdraw(self, version: str, stable: str) -> None:
        """Switch back to the pair that was there before."""
        self.serving.switch(stable)

    def answered(self, version: str) -> dict[str, Arm]:
        """Return what the bundle's predictor counted."""
        told = self.serving.answered(version)
        return {name: Arm.model_validate(arm) for name, arm in told.items()}


def run(request: Request, console: Console) -> dict[str, Any]:
    """Replay the stream through the loop and return the summary that was written."""
    began = time.monotonic()
    traffic = request.usecase.read(request.span)
    folder = RunFolder(request.out)
    _write(folder, "rejected.parquet", parquet.dump(traffic.rejected))
    for note in traffic.notes:
        console.print(note, markup=False, highlight=False)
    start = serve_from(request.usecase, request.span, traffic)
    timeline = view.Timeline(console)
    with PeakMemory() as memory, ExitStack() as stack:
        log = EventLog(folder / "events.jsonl", timeline.show)
        stack.callback(log.close)
        replay = stack.enter_context(_assembled(request, folder, traffic, start, log))
        _replay(replay, console)
        timeline.flush()
        _write(folder, "predictions.parquet", parquet.dump(replay.predictions()))
        checked = _parity(replay)
        found = _summary(request, replay, log) | {"parity": checked.to_data()}
        stack.pop_all().close()
    found["wall_seconds"] = round(time.monotonic() - began, 2)
    found["peak_rss_mb"] = round(memory.megabytes, 1)
    if request.compare:
        found |= _compare(request, replay, found, console)
    _publish(folder, found, log.events)
    console.print(view.closing_table(found))
    checked.require(request.usecase.loop.spec.features.max_mismatched)
    return found


def _parity(replay: Replay) -> Checked:
    """Compare all that was served with what training would join for it."""
    last = replay.traffic.requests["event_time"].iloc[-1] + pd.Timedelta(days=1)
    start, end = replay.start.to_pydatetime(), last.to_pydatetime()
    return parity_check.check(replay.log, replay.features, start, end)


def serve_from(usecase: UseCase, span: Span, traffic: Traffic) -> pd.Timestamp:
    """Return the first midnight to serve: after the warm-up, at most a third of a short stream."""
    asked = traffic.requests["event_time"]
    first, last = asked.iloc[0].floor("D"), asked.iloc[-1].floor("D")
    days = (last - first).days + 1
    if days < 3:
        raise InvalidInput("the data", str(span.data or "the simulator"), "3 days or more", days)
    warm_up = usecase.loop.spec.data.source(usecase.source_name(span)).warm_up
    start: pd.Timestamp = first + min(pd.Timedelta(warm_up), pd.Timedelta(days=max(1, days // 3)))
    return start


@contextmanager
def _assembled(
    request: Request, folder: RunFolder, traffic: Traffic, start: pd.Timestamp, log: EventLog
) -> Iterator[Replay]:
    """Start everything a replay needs, and end it whatever happens."""
    usecase = request.usecase
    store = open_store(os.environ.get("DRIFTLOOP_STORE") or str(folder / "store"))
    private, public = environment.keys(os.environ)
    environ = environment.for_children(usecase, store.uri, os.environ)
    environ |= {signature.TRUSTED_KEYS: public}
    root = environment.project_root(usecase)
    inbox: queue.Queue[CloudEvent] = queue.Queue(maxsize=1000)
    with ExitStack() as stack:
        url = stack.enter_context(sink.listening(inbox))
        python = root / "sidecar" / ".venv" / "bin" / "python"
        if not python.exists():
            way = "run 'make install' in the project, or name that folder in DRIFTLOOP_HOME"
            raise RunFailed(f"The sidecar's environment {python} is missing: {way}.")
        entity = usecase.loop.spec.gate.entity
        serving = Serving(environ, python, folder.path, url, request.port, entity)
        stack.callback(serving.close)
        serving.stand_by()
        ledger = SqliteLedger(folder / last_run.LEDGER)
        stack.callback(ledger.close)
        package = root / environment.COMPILED
        # The pipeline alone may sign; whoever serves only verifies.
        signing = environ | {signature.SIGNING_KEY: private}
        pipeline = PipelineProcess(package, folder / "pipelines", signing)
        source = usecase.source_name(request.span)
        actuators = LaptopActuators(pipeline, serving, store, source)
        controller = Controller(usecase.loop, ledger, actuators, log.emit)
        # Feast takes seconds to import; by now the children are importing beside us.
        from driftloop.adapters.feast_repository import FeatureRepository

        replay = Replay(
            usecase,
            traffic,
            start,
            archive=Archive(store, usecase.loop.name),
            features=FeatureRepository(usecase, folder / "feast"),
            serving=serving,
            controller=controller,
            inbox=inbox,
            scratch=folder / "features",
            trusted=signature.trusted(environ),
        )
        stack.callback(replay.close)
        serving.open()
        yield replay


def _replay(replay: Replay, console: Console) -> None:
    history, days = replay.days()
    with view.progress(console, "Reading history", len(history)) as step:
        replay.warm_up(history, step)
    replay.begin()
    with view.progress(console, "Serving traffic", len(days)) as step:
        replay.run(days, step)


def _summary(request: Request, replay: Replay, log: EventLog) -> dict[str, Any]:
    loop, traffic = request.usecase.loop, replay.traffic
    served, ledger = replay.served, replay.controller.ledger
    rows = ledger.retrainings(loop.name)
    identity = {
        "usecase": request.usecase.name,
        "loop": loop.name,
        "data": str(request.span.data) if request.span.data else "simulator",
        "seed": request.span.seed,
    }
    facts: dict[str, Any] = {
        "replay_from": times.to_text(replay.start.to_pydatetime()),
        "predictions": int((served.version != "").sum()),
        "inference_records": replay.log.count(),
        "kpi_name": loop.spec.objective.kpi.name,
        "kpi_unit": loop.spec.objective.kpi.unit,
        "kpi": summary.kpi_periods(served.cohorts, loop),
        "changes": summary.changes(traffic, log.events, replay.start),
        "retrainings": summary.retrainings(rows, _warnings(replay.archive.store, loop.name, rows)),
        "decisions": ledger.decisions(loop.name),
        "comparison": {},
        "analysis": newest.facts(replay.archive.store, loop.name).get("analysis"),
    }
    if traffic.changes:
        facts |= summary.truth(traffic, log.events, replay.start, SETTLE)
    return identity | summary.data_facts(traffic, summary.counts(log.events) | facts)


def _warnings(
    store: ObjectStore, loop: str, rows: list[dict[str, Any]]
) -> dict[str, tuple[str, ...]]:
    """Return what each Retraining's steps warned of, as its verdict says; nothing without one."""
    found = {}
    for row in rows:
        with suppress(KeyError):
            left = outcome.read(store.get(outcome.key(loop, row["name"])))
            found[row["name"]] = left.warnings
    return found


def _compare(
    request: Request, replay: Replay, found: dict[str, Any], console: Console
) -> dict[str, Any]:
    began = time.monotonic()
    joined = replay.features.historical(replay.traffic.requests)
    estimator = replay.first_estimator()
    fits = len(found["retrainings"])
    compared = Comparison(request.usecase, replay.traffic, joined, estimator)
    total = len(replay.days()[1]) + fits + 1
    with view.progress(console, "Comparing policies", total) as step:
        answers = Answers(replay.served.probability, None, replay.served.probabilities)
        figures = compared.against(replay.start, answers, fits, step)
    seconds = round(time.monotonic() - began, 2)
    return {"comparison": figures, "comparison_seconds": seconds}


def _publish(folder: RunFolder, found: dict[str, Any], events: list[dict[str, Any]]) -> None:
    from driftloop.report import page

    _write(folder, "report.html", page.render(found, events).encode())
    _write(folder, "summary.json", json.dumps(found, indent=1).encode())


def _write(folder: RunFolder, name: str, content: bytes) -> None:
    target = folder / name
    try:
        target.write_bytes(content)
    except OSError as error:
        raise RunFailed(f"Cannot write {target}: {error.strerror}.") from error
