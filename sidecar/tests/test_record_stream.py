"""An event's Arrow form: taken as the same records as its JSON form, and never trusted."""

import random
import struct

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from starlette.testclient import TestClient

from drift_sidecar import app, record_stream, records
from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings
from driftloop_contracts import event_types
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import MAX_ROWS, from_data
from driftloop_contracts.inference_arrow import to_stream

KINDS = {"relevance": "numeric", "device": "categorical"}
US = pa.timestamp("us", "UTC")


@pytest.fixture
def client(store, given):
    return TestClient(
        app.create_app(create_monitor(Settings(store.uri, given.loop, given.version)))
    )


@pytest.fixture
def body(given):
    """Return a function: changed columns and groups -> the stream's bytes."""

    def made(columns=None, rows=3, **groups):
        own, grouped = given.arrays(rows, [0])
        changed = {name: {**grouped[name], **fields} for name, fields in groups.items()}
        own |= columns or {}
        present = {
            group: {name: values for name, values in fields.items() if values is not None}
            for group, fields in (grouped | changed).items()
        }
        return to_stream({n: v for n, v in own.items() if v is not None}, present)

    return made


def written(batch, options=None, schema=None):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema or batch.schema, options=options) as writer:
        for one in batch if isinstance(batch, list) else [batch]:
            writer.write_batch(one)
    return sink.getvalue().to_pybytes()


def batch_of(body):
    return pa.ipc.open_stream(body).read_next_batch()


def post(client, body, seq=0, given=None):
    return client.post("/", content=body, headers=given.headers(seq))


def test_both_forms_make_the_same_records(given, body):
    event = given.batch(3, 0, feature_times={"stats": [0, 0, 0]})
    expected = records.from_batch(from_data(event.data), KINDS)
    assert record_stream.read(body(), KINDS).rows.equals(expected)


def test_missing_values_are_null(body):
    features = {
        "relevance": pa.array([None, float("nan"), 1.0]),
        "device": pa.array([None, "a", "b"]),
    }
    rows = record_stream.read(
        body({"prediction": pa.array([None, 0.5, 0.5])}, features=features), KINDS
    ).rows
    assert rows["relevance"].to_pylist() == [None, None, 1.0]
    assert rows["device"].to_pylist() == [None, "a", "b"]
    assert rows["prediction"].to_pylist() == [None, 0.5, 0.5]


def test_keys_and_times_may_be_left_out(body):
    found = record_stream.read(
        body(entity_keys={"ad_id": None}, feature_times={"stats": None}), KINDS
    )
    assert set(found.rows.schema.names) == {*records.OWN_COLUMNS, *KINDS}


def test_rows_go_to_the_cells_of_their_event_times(client, given):
    columns, groups = given.arrays(60, [0.5, 1.5, 0.6])
    answer = post(client, to_stream(columns, groups), given=given)
    assert (answer.status_code, answer.json()) == (202, {"duplicate": False})
    headers, mark = given.watermark(2).to_http()
    told = client.post("/", content=mark, headers=headers).json()["events"]
    assert [event["data"]["n"] for event in told] == [120, 60]
    status = client.get("/status").json()
    assert (status["rows"], status["batches"], status["last_seq"]) == (180, 1, 179)


def test_the_parts_hold_every_row_once_with_their_newest_second(given):
    columns, groups = given.arrays(2, [1.5, 0.5, 1.75])
    rows = record_stream.read(to_stream(columns, groups), KINDS).rows
    (early, at_early), (late, at_late) = record_stream.by_cell(rows, 3600)
    assert (early["seq"].to_pylist(), late["seq"].to_pylist()) == ([2, 3], [0, 1, 4, 5])
    assert (at_early, at_late) == (given.at(0.5).timestamp(), given.at(1.75).timestamp())


def test_a_repeated_delivery_is_taken_once_in_either_form(client, given, body):
    assert post(client, body(), given=given).json() == {"duplicate": False}
    assert post(client, body(), given=given).json() == {"duplicate": True}
    headers, json_body = given.batch(3, 0).to_http()
    answer = client.post("/", content=json_body, headers=headers)
    assert answer.json() == {"duplicate": True}
    assert client.get("/status").json()["rows"] == 3


@pytest.mark.parametrize("column", ["loop", "bundle_version"])
def test_a_foreign_stream_is_a_conflict(client, given, body, column):
    assert post(client, body({column: pa.repeat("other", 3)}), given=given).status_code == 409


DICTIONARY = pa.array(["a", "b", "a"]).dictionary_encode()
OPAQUE = pa.array([b"0" * 16] * 3, pa.binary(16))
BAD_COLUMNS = {
    "no loop": {"loop": None},
    "no seq": {"seq": None},
    "another column": {"surprise": pa.array([1, 2, 3])},
    "two pods": {"pod_uid": pa.array(["a", "a", "b"])},
    "a pod that is a path": {"pod_uid": pa.repeat("../../etc", 3)},
    "null loop": {"loop": pa.array([None, "a", "a"])},
    "null seq": {"seq": pa.array([None, 1, 2], pa.int64())},
    "null time": {"event_time": pa.array([None, 1, 2], US)},
    "null id": {"prediction_id": pa.array([None, "a", "b"])},
    "seconds": {"event_time": pa.array([1, 2, 3], pa.timestamp("s", "UTC"))},
    "no zone": {"event_time": pa.array([1, 2, 3], pa.timestamp("us"))},
    "before 1970": {"event_time": pa.array([-1, 1, 1], US)},
    "beyond all years": {"event_time": pa.array([2**62, 1, 1], US)},
    "negative seq": {"seq": pa.array([-1, 1, 2])},
    "huge seq": {"seq": pa.array([2**62 + 1, 1, 2])},
    "seq as float": {"seq": pa.array([0.0, 1.0, 2.0])},
    "negative weight": {"weight": pa.array([-1.0, 1, 1])},
    "huge weight": {"weight": pa.array([1e300, 1, 1])},
    "no weight": {"weight": pa.array([None, 1.0, 1.0])},
    "weight is no number": {"weight": pa.array([float("nan"), 1, 1])},
    "infinite latency": {"latency_ms": pa.array([float("inf"), 1, 1])},
    "infinite prediction": {"prediction": pa.array([float("-inf"), 1, 1])},
    "prediction as text": {"prediction": pa.array(["a", "b", "c"])},
    "dictionary": {"prediction_id": DICTIONARY},
    "features as a list": {"features": pa.array([[1], [2], [3]])},
}
BAD_GROUPS = {
    "feature absent": {"features": {"device": None}},
    "unknown feature": {"features": {"colour": pa.array(["r"] * 3)}},
    "text for a number": {"features": {"relevance": pa.array(["a", "b", "c"])}},
    "a number for text": {"features": {"device": pa.array([1.0, 2.0, 3.0])}},
    "infinite feature": {"features": {"relevance": pa.array([float("inf"), 1, None])}},
    "feature of lists": {"features": {"relevance": pa.array([[1.0], [2.0], [3.0]])}},
    "float key": {"entity_keys": {"ad_id": pa.array([1.0, 2.0, 3.0])}},
    "key named as an own column": {"entity_keys": {"weight": pa.array([1, 2, 3])}},
    "a view named as an own column": {
        "entity_keys": {"stats__event_timestamp": pa.array([1, 2, 3])}
    },
    "text for a time": {"feature_times": {"stats": pa.array(["noon"] * 3)}},
    "bytes": {"features": {"device": OPAQUE}},
}


@pytest.mark.parametrize("name", [*BAD_COLUMNS, *BAD_GROUPS])
def test_what_is_not_the_contracts_is_refused_with_a_sentence(client, given, body, name):
    groups = BAD_GROUPS.get(name, {})
    if name == "features as a list":
        own, grouped = given.arrays(3, [0])
        del grouped["features"]
        content = to_stream(own | BAD_COLUMNS[name], grouped)
    else:
        content = body(BAD_COLUMNS.get(name), **groups)
    answer = post(client, content, given=given)
    assert (answer.status_code, answer.json()["error"][-1]) == (400, ".")
    status = client.get("/status").json()
    assert (status["rows"], status["rejected"]) == (0, 1)
    assert post(client, body(), given=given).json() == {"duplicate": False}


def test_nulls_above_features_are_refused(body):
    batch = batch_of(body())
    place = batch.schema.get_field_index("features")
    children = batch["features"].flatten()
    holes = pa.StructArray.from_arrays(children, list(KINDS), mask=pa.array([True, False, False]))
    content = written(batch.set_column(place, "features", holes))
    with pytest.raises(InvalidInput, match="without nulls"):
        record_stream.read(content, {"relevance": "numeric", "device": "categorical"})


def test_repeated_names_are_refused(body):
    batch = batch_of(body())
    content = written(batch.append_column("seq", batch["seq"]))
    with pytest.raises(InvalidInput, match="repeated names"):
        record_stream.read(content, KINDS)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_compressed_batch_is_refused_before_it_is_unpacked(client, given, body, codec):
    """A bomb: a million bytes a row, in a body of a few thousand."""
    bomb = body(features={"device": pa.array(["x" * 1_000_000] * 3)})
    content = written(batch_of(bomb), pa.ipc.IpcWriteOptions(compression=codec))
    assert len(content) < len(bomb) / 100
    before = pa.total_allocated_bytes()
    answer = post(client, content, given=given)
    assert (answer.status_code, "uncompressed" in answer.json()["error"]) == (400, True)
    assert pa.total_allocated_bytes() - before < 500_000


def test_columns_that_share_bytes_are_refused(body):
    """Many columns on one buffer would be a small body and a large log."""
    size, text = 300_000, pa.array(["x" * 100_000] * 3)
    content = bytearray(
        body(
            entity_keys={"ad_id": text},
            features={"device": text},
            feature_times={"stats": None},  # so that the body ends with the device's text
        )
    )
    messages = pa.ipc.MessageReader.open_stream(pa.BufferReader(bytes(content)))
    next(messages)
    message = next(messages)
    start = content.index(message.metadata.to_pybytes())
    places = range(start, start + message.metadata.size - 7)

    def where(number):
        return [at for at in places if struct.unpack_from("<q", content, at)[0] == number]

    key, device = where(size)
    (length,) = where(message.body.size)
    content[device - 8 : device] = content[key - 8 : key]
    struct.pack_into("<q", content, length, message.body.size - size)
    end = start + message.metadata.size + message.body.size - size
    with pytest.raises(InvalidInput, match="share bytes"):
        record_stream.read(bytes(content[:end]), KINDS)


@pytest.mark.parametrize("where", ["schema", "field", "nested"])
def test_metadata_is_refused(body, where):
    batch = batch_of(body())
    schema = batch.schema
    named = {"ARROW:extension:name": "somebody.own"}
    if where == "schema":
        schema = schema.with_metadata(named)
    elif where == "field":
        schema = schema.set(3, schema.field(3).with_metadata(named))
    else:
        place = schema.get_field_index("features")
        inner = [field.with_metadata(named) for field in schema.field(place).type]
        schema = schema.set(place, pa.field("features", pa.struct(inner)))
    content = written(batch.cast(schema), schema=schema)
    with pytest.raises(InvalidInput, match="metadata"):
        record_stream.read(content, KINDS)


def test_extension_types_are_refused(body):
    content = body(entity_keys={"ad_id": pa.array([b"0" * 16] * 3, pa.uuid())})
    with pytest.raises(InvalidInput, match="ad_id"):
        record_stream.read(content, KINDS)


def test_more_than_one_batch_and_none_are_refused(body):
    batch = batch_of(body())
    for batches in ([batch, batch], []):
        with pytest.raises(InvalidInput, match="a message|one record batch"):
            record_stream.read(written(batches, schema=batch.schema), KINDS)


@pytest.mark.parametrize("rows", [0, MAX_ROWS + 1])
def test_no_rows_and_too_many_are_refused(body, rows):
    with pytest.raises(InvalidInput, match="rows"):
        record_stream.read(body(rows=rows), KINDS)


def test_a_huge_schema_is_refused_before_it_is_read(body):
    batch = batch_of(body())
    fields = [pa.field(f"surprise{number}" * 5, pa.int64()) for number in range(5000)]
    content = written([], schema=pa.schema([*batch.schema, *fields]))
    with pytest.raises(InvalidInput, match="told in"):
        record_stream.read(content, KINDS)


def test_text_that_is_no_utf8_is_refused(body):
    content = body(features={"device": pa.array(["zz", "zz", "zz"])})
    assert content.count(b"zzzzzz") == 1
    with pytest.raises(InvalidInput, match="UTF8"):
        record_stream.read(content.replace(b"zzzzzz", b"\xff\xfe\xff\xfe\xff\xfe"), KINDS)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff" * 8, b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"ARROW1\0\0"]
)
def test_what_is_no_stream_is_refused(client, given, content):
    answer = post(client, content, given=given)
    assert (answer.status_code, answer.json()["error"][-1]) == (400, ".")


def test_another_type_of_event_is_refused(client, given, body):
    headers = given.headers() | {"ce-type": event_types.WATERMARK}
    assert client.post("/", content=body(), headers=headers).status_code == 400


def test_a_broken_stream_is_refused_or_read_and_never_more(body):
    """Flipped, cut and repeated bytes: every outcome is a record batch or one sentence."""
    rng, whole = random.Random(1), body(rows=20)
    refused = 0
    for _ in range(3000):
        content = bytearray(whole)
        for _ in range(rng.randint(1, 8)):
            content[rng.randrange(len(content))] = rng.choice((0, 1, 127, 128, 255))
        cut = rng.choice((len(content), len(content), rng.randrange(len(content))))
        try:
            rows = record_stream.read(bytes(content[:cut]), KINDS).rows
            rows.validate(full=True)
            assert pc.all(pc.is_valid(rows["event_time"])).as_py()
        except InvalidInput:
            refused += 1
    assert 0 < refused < 3000
