"""The sidecar's figures: what it takes in, and what it costs the predictor beside it.

    python benchmarks/sidecar.py throughput [--seconds 10]
    python benchmarks/sidecar.py harm [--blocks 2] [--seconds 15] [--rate 40]

``throughput``: 20 features over HTTP, as Arrow and as JSON, in batches of 256 and 1,000 rows and
single JSON events, as fast as two connections carry; the log's files and the scoring of windows
count. Then 50,000 rows a second at a fixed rate, and the start on a cold page cache.

``harm``: one predictor with the ads' model at a fixed arrival rate of single-row requests, each
one's time counted from when it was due. Every block has processes of its own; in each round
every condition has one block, in an order drawn anew: no sidecar; idle (one that gets no
records); scoring (a window every second); frozen (SIGSTOP); dead (killed). The claim needs
--blocks 10 --seconds 120.

Prints a table and last one JSON line with its bars.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop import parquet, usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.bundle import model_file, packing
from driftloop.drift import calibration
from driftloop.laptop import environment
from driftloop.laptop.children import Child
from driftloop.laptop.unfolding import Unfolding
from driftloop.services.predictor.record import Origin, Record, to_stream
from driftloop.training import fit
from driftloop.usecase import Span
from driftloop_contracts import bundle, event_types, inference_arrow, times
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.bundle import Manifest
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.inference import InferenceBatch
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[1]
SIDECAR = ROOT / "sidecar" / ".venv"
START = datetime(2026, 1, 1, tzinfo=UTC)
NUMERIC, CATEGORICAL, LEVELS = 16, 4, ["a", "b", "c", "d", "e"]
KINDS = {f"x{n}": "numeric" for n in range(NUMERIC)}
KINDS |= {f"c{n}": "categorical" for n in range(CATEGORICAL)}
REFERENCE_ROWS, WINDOW_SECONDS, WINDOW_ROWS = 20_000, 600, 50_000
ORIGIN = Origin("benchmark", "0001-benchmark", "pod", KINDS)
CONNECTIONS = 2
Sent = tuple[dict[str, str], bytes]


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<52} {value:>12.5g} {unit:<8} {target:<28} {'met' if met else 'MISSED'}")
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


def drawn(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return ``rows`` rows of every feature."""
    numbers = {name: rng.normal(size=rows) for name, kind in KINDS.items() if kind == "numeric"}
    texts = np.array(LEVELS, dtype=object)
    return {n: numbers[n] if n in numbers else texts[rng.integers(0, 5, rows)] for n in KINDS}


def put_bundle(store: FileStore) -> None:
    """Write a bundle with 20 monitored features."""
    sink = io.BytesIO()
    pq.write_table(pa.table(drawn(np.random.default_rng(0), REFERENCE_ROWS)), sink)
    features = tuple(
        FeatureBaseline(name, kind, 0.1, 0.05, True, tuple(LEVELS) if name[0] == "c" else ())
        for name, kind in KINDS.items()
    )
    baseline = Baseline(ORIGIN.loop, WINDOW_SECONDS, 500, 1e-6, features)
    files = {
        bundle.MODEL: b"none",
        bundle.REFERENCE: sink.getvalue(),
        bundle.BASELINE: baseline.to_json(),
    }
    digests = {name: bundle.digest(content) for name, content in files.items()}
    manifest = Manifest(ORIGIN.loop, ORIGIN.bundle_version, times.to_text(START), {}, digests)
    for name, content in {**files, bundle.MANIFEST: manifest.to_json()}.items():
        store.put(f"bundles/{ORIGIN.loop}/{ORIGIN.bundle_version}/{name}", content)


@contextmanager
def sidecar(folder: Path, environ: dict[str, str]) -> Iterator[Child]:
    """Start a sidecar; ``environ``: its store, loop and bundle."""
    command = [str(SIDECAR / "bin" / "python"), "-m", "drift_sidecar"]
    own = {"DRIFTLOOP_SUPERVISED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    passed = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    child = Child("sidecar", command, passed | own | environ, folder / "sidecar.log")
    try:
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.kill(child.process.pid, signal.SIGCONT)
        child.stop()


def requests(form: str, batch_rows: int, rows: int) -> list[Sent]:
    """Return ready requests with ``rows`` rows in all, WINDOW_ROWS of them in each window."""
    rng, found = np.random.default_rng(1), []
    pool = [drawn(rng, batch_rows) for _ in range(16)]
    for number, seq in enumerate(range(0, rows, batch_rows)):
        at = START + timedelta(seconds=seq * WINDOW_SECONDS / WINDOW_ROWS)
        features = pool[number % len(pool)]
        ids = [f"{seq + n:016x}" for n in range(batch_rows)]
        event_id = f"{form}-{batch_rows}-{seq}"
        found.append(_request(form, event_id, seq, at, features, ids))
    return found


def _request(
    form: str,
    event_id: str,
    seq: int,
    at: datetime,
    features: dict[str, np.ndarray[Any, Any]],
    ids: list[str],
) -> Sent:
    rows = len(ids)
    keys, predictions = np.arange(rows), [0.25] * rows
    event = CloudEvent(event_id, "/benchmark/predictor", event_types.INFERENCE, at, {})
    if form == "arrow":
        instants: dict[str, list[int | None]] = {"stats": [1] * rows}
        ones = np.ones(rows)
        record = Record(seq, at, 1.5, ids, {"key": keys}, features, instants, predictions, ones)
        return event.to_headers(inference_arrow.CONTENT_TYPE), to_stream([record], ORIGIN)
    batch = InferenceBatch(
        loop=ORIGIN.loop,
        bundle_version=ORIGIN.bundle_version,
        pod_uid=ORIGIN.pod_uid,
        first_seq=seq,
        event_time=at,
        latency_ms=1.5,
        prediction_ids=ids,
        entity_keys={"key": keys.tolist()},
        features={name: values.tolist() for name, values in features.items()},
        predictions=predictions,
        weights=[1.0] * rows,
        feature_times={"stats": [1] * rows},
    )
    event = CloudEvent(event_id, event.source, event.type, at, batch.to_data())
    return event.to_http()


def post_all(url: str, sent: list[Sent], seconds: float, per_second: float = 0.0) -> list[float]:
    """Post in order on CONNECTIONS connections; return the seconds that each answer took.

    ``per_second``: requests due a second, each one's time counted from then; 0: as fast as it goes.
    It ends with the last request or after ``seconds``. A request that a busy sidecar refused is
    posted again, and all of that counts.
    """
    took: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    began = time.perf_counter()

    def work(own: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        for number in range(own, len(sent), CONNECTIONS):
            due = began + number / per_second if per_second else time.perf_counter()
            if due > began + seconds or time.perf_counter() > began + seconds:
                break
            time.sleep(max(0.0, due - time.perf_counter()))
            headers, body = sent[number]
            while (status := _answered(connection, headers, body)) == 503:
                time.sleep(0.01)
            assert status == 202, status
            took[own].append(time.perf_counter() - due)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for own in took for one in own]


def _answered(connection: http.client.HTTPConnection, headers: dict[str, str], body: bytes) -> int:
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


@dataclass(frozen=True)
class Intake:
    """What a sidecar did with one form of events; times in ms, memory in MB."""

    rows_per_second: float
    rows_per_cpu_second: float
    p50: float
    p99: float
    memory: float
    windows: int


def intake(
    folder: Path, form: str, batch_rows: int, seconds: float, rows_per_second: float = 0.0
) -> Intake:
    """Measure one form of events on a fresh sidecar, the closing of all its windows included."""
    rows = int((rows_per_second or 150_000) * seconds) if batch_rows > 1 else int(6000 * seconds)
    rows = min(rows, 1_500_000 if form == "arrow" else 500_000)
    store = FileStore(folder / f"store-{form}-{batch_rows}-{rows_per_second}")
    put_bundle(store)
    sent = requests(form, batch_rows, rows)
    environ = {
        "DRIFTLOOP_STORE": store.uri,
        "DRIFTLOOP_LOOP": ORIGIN.loop,
        "DRIFTLOOP_BUNDLE": ORIGIN.bundle_version,
    }
    with sidecar(folder, environ) as child:
        url = child.wait_ready(120)
        process = psutil.Process(child.process.pid)
        before, began = _cpu(process), time.perf_counter()
        took = post_all(url, sent, seconds, rows_per_second / batch_rows)
        headers, body = _watermark(START + timedelta(days=300))
        status, answer = _post(url, headers, body)
        assert status == 200, answer
        wall, cpu = time.perf_counter() - began, _cpu(process) - before
        told = _get(url, "/status")
        memory = _peak(child.process.pid)
    taken = len(took) * batch_rows
    assert (told["rows"], told["waiting"]) == (taken, 0)
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return Intake(taken / wall, taken / cpu, p50, p99, memory, told["windows"])


def _watermark(at: datetime) -> Sent:
    data = {"event_time": times.to_text(at)}
    return CloudEvent("end", "/benchmark", event_types.WATERMARK, at, data).to_http()


def _post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _get(url: str, path: str) -> Any:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def _cpu(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _peak(pid: int) -> float:
    return _kilobytes(pid, "VmHWM") / 1024


def _kilobytes(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


def cold_start(folder: Path) -> float:
    """Return the seconds until a sidecar serves whose files are in no page cache."""
    store = FileStore(folder / "store-cold")
    put_bundle(store)
    os.sync()
    for path in SIDECAR.resolve().rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    environ = {
        "DRIFTLOOP_STORE": store.uri,
        "DRIFTLOOP_LOOP": ORIGIN.loop,
        "DRIFTLOOP_BUNDLE": ORIGIN.bundle_version,
    }
    began = time.perf_counter()
    with sidecar(folder, environ) as child:
        child.wait_ready(120)
        return time.perf_counter() - began


def throughput(folder: Path, seconds: float) -> list[dict[str, Any]]:
    """Measure every form as fast as it goes, then a fixed rate, then the start."""
    print(
        f"{'':<14}{'rows/s':>10}{'rows/CPU s':>12}{'p50 ms':>9}{'p99 ms':>9}{'MB':>7}{'windows':>9}"
    )
    found: dict[tuple[str, int], Intake] = {}
    for form, rows in (("arrow", 256), ("arrow", 1000), ("json", 256), ("json", 1000), ("json", 1)):
        found[form, rows] = one = intake(folder, form, rows, seconds)
        _print(f"{form} {rows}", one)
    steady = intake(folder, "arrow", 256, seconds, 50_000)
    _print("arrow 50k/s", steady)
    ready = cold_start(folder)
    memory = max(one.memory for one in (*found.values(), steady))
    arrow, json_rows = found["arrow", 256], found["json", 256]
    single = found["json", 1].rows_per_cpu_second
    return [
        _rows_bar("Arrow, batches of 256", arrow.rows_per_cpu_second, 50_000),
        _rows_bar("Arrow, batches of 1,000", found["arrow", 1000].rows_per_cpu_second, 50_000),
        _rows_bar("JSON, batches of 256", json_rows.rows_per_cpu_second, 50_000),
        _rows_bar("JSON, batches of 1,000", found["json", 1000].rows_per_cpu_second, 50_000),
        _rows_bar("JSON, single rows", single, 8000),
        bar("p99 of an answer at 50,000 rows/s", steady.p99, "ms", "<= 15", steady.p99 <= 15),
        bar("peak resident", memory, "MB", "<= 400", memory <= 400),
        bar("ready after a cold start", ready, "s", "<= 20", ready <= 20),
    ]


def _rows_bar(name: str, value: float, target: int) -> dict[str, Any]:
    return bar(name, value, "rows/CPU s", f">= {target}", value >= target)


def _print(name: str, one: Intake) -> None:
    print(
        f"{name:<14}{one.rows_per_second:>10.0f}{one.rows_per_cpu_second:>12.0f}"
        f"{one.p50:>9.2f}{one.p99:>9.2f}{one.memory:>7.0f}{one.windows:>9}",
        flush=True,
    )


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
            _post(url, *_watermark(datetime.now(UTC) + timedelta(days=next(days))))

    thread = threading.Thread(target=work)
    if url:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if url:
            thread.join()
            assert _get(url, "/status")["windows"] > 0


def _measure(predictor: Child, address: str, seconds: float, rate: float) -> Block:
    memory = [_kilobytes(predictor.process.pid, "VmRSS") / 1024]
    latencies: list[float] = []
    process = psutil.Process(predictor.process.pid)
    before = _cpu(process)
    for _ in range(2):
        latencies += call(address, seconds / 2, rate)
        memory.append(_kilobytes(predictor.process.pid, "VmRSS") / 1024)
    cpu = (_cpu(process) - before) / len(latencies) * 1000
    counts = _get(address, "/driftloop/status")
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
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["throughput", "harm"])
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rate", type=float, default=40.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        if told.what == "throughput":
            bars = throughput(Path(scratch), told.seconds or 10.0)
        else:
            bars = harm(Path(scratch), told.blocks, told.seconds or 15.0, told.rate)
    print(json.dumps({"benchmark": f"sidecar {told.what}", "bars": bars}))


if __name__ == "__main__":
    main()
