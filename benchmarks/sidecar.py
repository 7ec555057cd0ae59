"""What the sidecar takes in.

    python benchmarks/sidecar.py [--seconds 10]

20 features over HTTP, as Arrow and as JSON, in batches of 256 and 1,000 rows and single JSON
events, as fast as two connections carry; the log's files and the scoring of windows count. Then
50,000 rows a second at a fixed rate, a flood of large events on many connections, larger than the
spool, and the start on a cold page cache.

Prints a table and last one JSON line with its bars. sidecar_harm.py measures the predictor.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from driftloop.laptop.children import Child
from driftloop.services.predictor.record import Origin, Record, to_stream
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
FLOOD_ROWS, FLOOD_EVENTS, FLOOD_CONNECTIONS, FLOOD_SPOOL = 20_000, 120, 32, "64MiB"
"""Events of 5 MB, 600 MB in all, as many at once as there are connections."""
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


def post_all(
    url: str,
    sent: list[Sent],
    seconds: float,
    per_second: float = 0.0,
    connections: int = CONNECTIONS,
) -> list[float]:
    """Post in order on several connections; return the seconds that each answer took.

    ``per_second``: requests due a second, each one's time counted from then; 0: as fast as it goes.
    It ends with the last request or after ``seconds``. A request that a busy sidecar refused is
    posted again, and all of that counts.
    """
    took: list[list[float]] = [[] for _ in range(connections)]
    began = time.perf_counter()

    def work(own: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        for number in range(own, len(sent), connections):
            due = began + number / per_second if per_second else time.perf_counter()
            if due > began + seconds or time.perf_counter() > began + seconds:
                break
            time.sleep(max(0.0, due - time.perf_counter()))
            headers, body = sent[number]
            while (status := _answered(connection, headers, body)) == 503:
                time.sleep(0.01)
            assert status == 202, status
            took[own].append(time.perf_counter() - due)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(connections)]
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
        before, began = cpu_seconds(process), time.perf_counter()
        took = post_all(url, sent, seconds, rows_per_second / batch_rows)
        headers, body = watermark(START + timedelta(days=300))
        status, answer = post(url, headers, body)
        assert status == 200, answer
        wall, cpu = time.perf_counter() - began, cpu_seconds(process) - before
        told = get(url, "/status")
        memory = _peak(child.process.pid)
    taken = len(took) * batch_rows
    assert (told["rows"], told["waiting"]) == (taken, 0)
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return Intake(taken / wall, taken / cpu, p50, p99, memory, told["windows"])


def flood(folder: Path) -> Intake:
    """Measure large events on many connections, of more bytes than the spool may take."""
    store = FileStore(folder / "store-flood")
    put_bundle(store)
    sent = requests("arrow", FLOOD_ROWS, FLOOD_ROWS * FLOOD_EVENTS)
    environ = {
        "DRIFTLOOP_STORE": store.uri,
        "DRIFTLOOP_LOOP": ORIGIN.loop,
        "DRIFTLOOP_BUNDLE": ORIGIN.bundle_version,
        "DRIFTLOOP_SPOOL_BYTES": FLOOD_SPOOL,
    }
    with sidecar(folder, environ) as child:
        url = child.wait_ready(120)
        process = psutil.Process(child.process.pid)
        before, began = cpu_seconds(process), time.perf_counter()
        took = post_all(url, sent, 600, connections=FLOOD_CONNECTIONS)
        wall, cpu = time.perf_counter() - began, cpu_seconds(process) - before
        told, memory = get(url, "/status"), _peak(child.process.pid)
    rows = len(took) * FLOOD_ROWS
    assert told["rows"] == rows == FLOOD_ROWS * FLOOD_EVENTS
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return Intake(rows / wall, rows / cpu, p50, p99, memory, told["windows"])


def watermark(at: datetime) -> Sent:
    """Return the event that closes every window before ``at``."""
    data = {"event_time": times.to_text(at)}
    return CloudEvent("end", "/benchmark", event_types.WATERMARK, at, data).to_http()


def post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    """Return status and body of an answer to one POST."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read()


def get(url: str, path: str) -> Any:
    """Return the JSON that a path answers."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time that a process has spent, in seconds."""
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _peak(pid: int) -> float:
    return kilobytes(pid, "VmHWM") / 1024


def kilobytes(pid: int, name: str) -> int:
    """Return one of the memory figures of a process, in kB."""
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
    flooded = flood(folder)
    _print("flood", flooded)
    ready = cold_start(folder)
    memory = max(one.memory for one in (*found.values(), steady, flooded))
    arrow, json_rows = found["arrow", 256], found["json", 256]
    single = found["json", 1].rows_per_cpu_second
    return [
        _rows_bar("Arrow, batches of 256", arrow.rows_per_cpu_second, 50_000),
        _rows_bar("Arrow, batches of 1,000", found["arrow", 1000].rows_per_cpu_second, 50_000),
        _rows_bar("JSON, batches of 256", json_rows.rows_per_cpu_second, 50_000),
        _rows_bar("JSON, batches of 1,000", found["json", 1000].rows_per_cpu_second, 50_000),
        _rows_bar("JSON, single rows", single, 8000),
        bar("p99 of an answer at 50,000 rows/s", steady.p99, "ms", "<= 15", steady.p99 <= 15),
        bar("peak resident", memory, "MB", "<= 300", memory <= 300),
        bar("ready after a cold start", ready, "s", "<= 10", ready <= 10),
    ]


def _rows_bar(name: str, value: float, target: int) -> dict[str, Any]:
    return bar(name, value, "rows/CPU s", f">= {target}", value >= target)


def _print(name: str, one: Intake) -> None:
    print(
        f"{name:<14}{one.rows_per_second:>10.0f}{one.rows_per_cpu_second:>12.0f}"
        f"{one.p50:>9.2f}{one.p99:>9.2f}{one.memory:>7.0f}{one.windows:>9}",
        flush=True,
    )


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        bars = throughput(Path(scratch), told.seconds)
    print(json.dumps({"benchmark": "sidecar throughput", "bars": bars}))


if __name__ == "__main__":
    main()
