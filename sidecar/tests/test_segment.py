"""Segments: what a frame says, and that no event is taken for a part of another."""

import json
import struct
import zlib

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from drift_sidecar import app, record_stream, segment
from drift_sidecar.batches import RUN
from drift_sidecar.process import create_monitor
from drift_sidecar.segment import Entry
from drift_sidecar.settings import Settings
from driftloop_contracts.inference_arrow import to_stream

SOURCE, KINDS = "/predictor/pod-1", {"relevance": "numeric", "device": "categorical"}


@pytest.fixture
def settings(store, given, tmp_path):
    return Settings(store.uri, given.loop, given.version, spool=str(tmp_path / "spool"))


@pytest.fixture
def client(settings):
    return TestClient(app.create_app(create_monitor(settings)))


def post(client, given, event_id, hours, seq):
    body = to_stream(*given.arrays(60, hours, seq))
    headers = given.headers(0) | {"ce-id": event_id}
    return client.post("/", content=body, headers=headers).json()


@pytest.mark.parametrize("own", ["x#1", "x%231", "x%00%01", "x%C2%A71"])
@pytest.mark.parametrize("is_first", [True, False])
def test_an_id_that_looks_like_another_events_part_is_an_event(client, given, own, is_first):
    both = [(own, [0.5], 0), ("x", [0.5, 1.5], 60)]
    for event_id, hours, seq in both if is_first else both[::-1]:
        assert post(client, given, event_id, hours, seq) == {"duplicate": False}
    for event_id, hours, seq in both:
        assert post(client, given, event_id, hours, seq) == {"duplicate": True}
    assert client.get("/status").json()["rows"] == 180


def test_a_frame_says_its_part(given):
    rows = record_stream.read(to_stream(*given.arrays(3, [0])), KINDS).rows
    for part in (0, 1, 2**40):
        content = b"".join(segment.frame(Entry(SOURCE, "x#\ud800", rows, part)))
        found = segment.entry(content[segment.FRAME.size :])
        assert (found.source, found.event_id, found.part) == (SOURCE, "x#\ud800", part)
        assert found.rows.equals(rows)
    keys = {Entry(SOURCE, event_id, rows, p).key for event_id in ("x", "x#1") for p in range(3)}
    assert len(keys) == 6


def former(event_id, rows):
    """Return a frame that has the part behind the event's id, as they were before they said it."""
    header = json.dumps({"source": SOURCE, "id": event_id}).encode()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_batch(rows)
    payload = struct.pack("<I", len(header)) + header + sink.getvalue().to_pybytes()
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


def test_a_spool_whose_frames_do_not_say_their_part_is_known_again(settings, given, tmp_path):
    rows = record_stream.read(to_stream(*given.arrays(60, [0.5, 1.5])), KINDS).rows
    folder = tmp_path / "spool" / given.loop / given.version
    folder.mkdir(parents=True)
    for number, event_id in enumerate(("x", "x#1")):
        start = int(given.at(number).timestamp())
        content = former(event_id, rows.slice(60 * number, 60))
        (folder / f"{number:012d}-{start}.open").write_bytes(content)
    client = TestClient(app.create_app(create_monitor(settings)))
    assert post(client, given, "x", [0.5, 1.5], 0) == {"duplicate": True}
    assert post(client, given, "x#1", [1.5], 60) == {"duplicate": True}
    assert post(client, given, "x#2", [1.5], 120) == {"duplicate": False}
    assert client.get("/status").json()["waiting"] == 180
    headers, mark = given.watermark(2).to_http()
    told = client.post("/", content=mark, headers=headers).json()["events"]
    assert [event["data"]["n"] for event in told] == [60, 120]


def test_rows_that_came_one_by_one_are_read_in_few_batches(given, tmp_path):
    one = segment.Segment(tmp_path, 0, 0)
    kept = [
        record_stream.read(to_stream(*given.arrays(1, [0], seq)), KINDS).rows for seq in range(600)
    ]
    for seq, rows in enumerate(kept):
        one.append(segment.frame(Entry(SOURCE, str(seq), rows)))
    pods = segment.rows(one.path)
    (batches,) = pods.values()
    assert len(batches) < 1 + RUN
    assert (
        pa.Table.from_batches(batches).combine_chunks()
        == pa.Table.from_batches(kept).combine_chunks()
    )
