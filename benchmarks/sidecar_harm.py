"""What the sidecar costs the predictor beside it.

    python benchmarks/sidecar_harm.py [--blocks 2] [--seconds 15] [--rate 40]

One predictor with the ads' model at a fixed arrival rate of single-row requests, each one's time
counted from when it was due. Every block has processes of its own; in each round every condition
has one block, in an order drawn anew: no sidecar; idle (one that gets no records); scoring (a
window every second); frozen (SIGSTOP); dead (killed). The claim needs --blocks 10 --seconds 120.

Prints a table and last one JSON line with its bars.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import psutil

from driftloop import parquet, usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.bundle import model_file, packing
from driftloop.drift import calibration
from driftloop.laptop import environment
from driftloop.laptop.children import Child
from driftloop.laptop.unfolding import Unfolding
from driftloop.training import fit
from driftloop.usecase import Span
from driftloop_contracts import bundle
from driftloop_contracts.object_store import FileStore
from sidecar import ROOT, bar, cpu_seconds, get, kilobytes, post, sidecar, watermark

CONDITIONS = ("absent", "idle", "scoring", "frozen", "dead")
CALLERS = 4
WARM_UP = 3.0
MIN_ROWS = 20
DAYS = 8
ROW = {
    "query_id": 1000,
    "ad_id": 100,
    "category": "boots",
    "campaign": "brand",
    "position": "1",
    "device": "mobile",
    "discount": 0.1,
    "relevance": 0.5,
}


@dataclass
class Block:
    """One condition's latencies in ms, with memory in MB: when warm, half through, at the end.

    ``cpu``: of the predictor, in ms a request; other processes on the cores hardly move it.
    """

    latencies: np.ndarray[Any, Any]
    memory: list[float]
    cpu: float
    counts: dict[str, int]
    p99: float = field(init=False)

    def __post_init__(self) -> None:
        self.p99 = float(np.percentile(self.latencies, 99))


class World:
    """A store with one bundle of the ads' loop, made from a few simulated days."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.case = usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
        self.store = FileStore(folder / "store")
        rows = self._rows(Archive(self.store, self.case.loop.name))
        model = fit.fit(self.case, "logistic", rows)
        rng = np.random.default_rng(0)
        reference, baseline = calibration.build(rows, self.case.loop, None, rng)
        files = {
            bundle.MODEL: model_file.dump(model),
            bundle.REFERENCE: parquet.dump(reference),
            # So that each second's rows are a window that is scored.
            bundle.BASELINE: replace(baseline, min_rows=MIN_ROWS).to_json(),
        }
        end = rows["event_time"].max().to_pydatetime()
        name = self.case.loop.name
        self.version = packing.write(self.store, name, 1, end, files=files, facts={}).version
        self.environ = environment.for_children(self.case, self.store.uri, os.environ)

    def _rows(self, archive: Archive) -> pd.DataFrame:
        stream = self.case.read(Span(seed=1))
        first = stream.requests["event_time"].iloc[0].floor("D")
        unfolding, days = Unfolding(stream), pd.date_range(first, periods=DAYS, freq="D")
        for day in days:
            unfolding.advance(day)
            history = unfolding.labelled(first, day)
            if len(history):
                for view, found in self.case.compute_features(history, day).items():
                    archive.put_features(view, day, found)
        repository = FeatureRepository(self.case, self.folder / "feast")
        repository.apply(archive.feature_folder(self.folder))
        repository.materialize(None, days[-1].to_pydatetime())
        return repository.historical(unfolding.labelled(first, days[-1]))

    def predictor(self, sidecar_url: str) -> Child:
        """Start a predictor that hands its records to ``sidecar_url`` ('': to nobody)."""
        environ = self.environ | {
            "DRIFTLOOP_FEAST": str(self.folder / "feast"),
            "DRIFTLOOP_SCRATCH": tempfile.mkdtemp(dir=self.folder),
            "DRIFTLOOP_BUNDLE": self.version,
            "DRIFTLOOP_SIDECAR": sidecar_url,
        }
        command = [sys.executable, "-m", "driftloop.services.predictor"]
        return Child("predictor", command, environ, self.folder / "predictor.log")

    @contextmanager
    def sidecar(self, condition: str) -> Iterator[tuple[str, Child | None]]:
        """Yield the address that the predictor is told, and the sidecar if there is one."""
        if condition == "absent":
            yield "", None
            return
        environ = {
            "DRIFTLOOP_STORE": self.store.uri,
            "DRIFTLOOP_LOOP": self.case.loop.name,
            "DRIFTLOOP_BUNDLE": self.version,
        }
        with sidecar(self.folder, environ) as child:
            url = child.wait_ready(120)
            yield "" if condition == "idle" else url, child


def block(world: World, condition: str, seconds: float, rate: float) -> Block:
    """Return what one block of the condition shows."""
    with world.sidecar(condition) as (url, child):
        predictor = world.predictor(url)
        try:
            address = predictor.wait_ready(120)
            call(address, WARM_UP, rate)
            if child is not None and condition in ("frozen", "dead"):
                stopping = signal.SIGSTOP if condition == "frozen" else signal.SIGKILL
                os.kill(child.process.pid, stopping)
            with _windows_ending(url if condition == "scoring" else ""):
                return _measure(predictor, address, seconds, rate)
        finally:
            # Its last records are no part of the measurement: a frozen sidecar never takes them.
            predictor.process.kill()
            predictor.stop()


@contextmanager
def _windows_ending(url: str) -> Iterator[None]:
    """End the sidecar's window every second meanwhile, so that it writes and scores all along."""
    ended, days = threading.Event(), count(1)

    def work() -> None:
        while not ended.wait(1.0):
            post(url, *watermark(datetime.now(UTC) + timedelta(days=next(days))))

    thread = threading.Thread(target=work)
    if url:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if url:
            thread.join()
            assert get(url, "/status")["windows"] > 0


def _measure(predictor: Child, address: str, seconds: float, rate: float) -> Block:
    memory = [kilobytes(predictor.process.pid, "VmRSS") / 1024]
    latencies: list[float] = []
    process = psutil.Process(predictor.process.pid)
    before = cpu_seconds(process)
    for _ in range(2):
        latencies += call(address, seconds / 2, rate)
        memory.append(kilobytes(predictor.process.pid, "VmRSS") / 1024)
    cpu = (cpu_seconds(process) - before) / len(latencies) * 1000
    counts = get(address, "/driftloop/status")
    return Block(np.array(latencies) * 1000, memory, cpu, counts)


def call(address: str, seconds: float, rate: float) -> list[float]:
    """Ask for one row ``rate`` times a second; return the seconds from due to answered."""
    total, body = int(seconds * rate), json.dumps({"instances": [ROW]}).encode()
    headers = {"content-type": "application/json"}
    took: list[list[float]] = [[] for _ in range(CALLERS)]
    began = time.perf_counter() + 0.05

    def work(own: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        for number in range(own, total, CALLERS):
            due = began + number / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("POST", "/v1/models/ads-ctr:predict", body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took[own].append(time.perf_counter() - due)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for own in took for one in own]


def harm(folder: Path, blocks: int, seconds: float, rate: float) -> list[dict[str, Any]]:
    """Run the rounds and hold every condition against ``absent``."""
    world, order = World(folder), random.Random(1)
    found: dict[str, list[Block]] = {name: [] for name in CONDITIONS}
    for number in range(blocks):
        for condition in order.sample(CONDITIONS, len(CONDITIONS)):
            found[condition].append(one := block(world, condition, seconds, rate))
            rows = {name: value for name, value in one.counts.items() if name.endswith("rows")}
            print(f"round {number + 1} {condition:<8} p99 {one.p99:6.2f} ms {rows}", flush=True)
    for condition, own in found.items():
        p50 = np.mean([np.percentile(one.latencies, 50) for one in own])
        grown = np.mean([one.memory[-1] - one.memory[0] for one in own])
        p99 = np.mean([one.p99 for one in own])
        cpu = np.mean([one.cpu for one in own])
        print(
            f"{condition:<10} p50 {p50:6.2f} ms  p99 {p99:6.2f} ms  "
            f"CPU {cpu:5.2f} ms a request  grown {grown:5.1f} MB"
        )
    return [one for name in CONDITIONS[1:] for one in _held(name, found[name], found["absent"])]


def _held(name: str, own: list[Block], absent: list[Block]) -> list[dict[str, Any]]:
    """Return the bars of one condition; the memory's is its growth in the block's second half."""
    differences = np.array([a.p99 - b.p99 for a, b in zip(own, absent, strict=True)])
    allowed = max(0.3, 0.05 * float(np.mean([one.p99 for one in absent])))
    bound = upper_bound(differences)
    late = float(np.median([one.memory[2] - one.memory[1] for one in own]))
    base = float(np.median([one.memory[2] - one.memory[1] for one in absent]))
    print(f"{name}: p99 {differences.mean():+.3f} ms")
    return [
        bar(
            f"{name}: p99 over absent, upper bound",
            bound,
            "ms",
            f"<= {allowed:.2f}",
            bound <= allowed,
        ),
        bar(f"{name}: memory over absent, grown late", late - base, "MB", "<= 2", late - base <= 2),
    ]


def upper_bound(differences: np.ndarray[Any, Any], draws: int = 10_000) -> float:
    """Return the upper 95 % bound of the mean, by bootstrap over rounds."""
    rng = np.random.default_rng(1)
    picked = rng.integers(0, len(differences), (draws, len(differences)))
    return float(np.percentile(differences[picked].mean(axis=1), 95))


def main() -> None:
    """Run the blocks that the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--rate", type=float, default=40.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        bars = harm(Path(scratch), told.blocks, told.seconds, told.rate)
    print(json.dumps({"benchmark": "sidecar harm", "bars": bars}))


if __name__ == "__main__":
    main()
