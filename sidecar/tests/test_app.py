"""The HTTP contract, in process; the object store and the sink are real."""

import io
import json

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from drift_sidecar import app, bodies, metrics
from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import STRUCTURED
from driftloop_contracts.errors import StoreUnavailable

SCORED, DETECTED = event_types.WINDOW_SCORED, event_types.DRIFT_DETECTED


@pytest.fixture
def monitor(store, given):
    return create_monitor(Settings(store.uri, given.loop, given.version))


@pytest.fixture
def client(monitor):
    return TestClient(app.create_app(monitor))


def post(client, event, structured=False):
    if structured:
        return client.post("/", content=event.to_json(), headers={"content-type": STRUCTURED})
    headers, body = event.to_http()
    return client.post("/", content=body, headers=headers)


def logged(store):
    keys = store.list("inference/")
    return {key: pq.read_table(io.BytesIO(store.get(key))) for key in keys}


@pytest.mark.parametrize("structured", [True, False])
def test_a_batch_is_taken_in_both_modes(client, given, structured):
    assert post(client, given.batch(10, 0), structured).status_code == 202
    status = client.get("/status").json()
    assert (status["rows"], status["batches"], status["last_seq"]) == (10, 1, 9)
    assert (status["loop"], status["bundle"]) == (given.loop, given.version)


def test_a_repeated_delivery_is_taken_once(client, given):
    assert post(client, given.batch(10, 0)).json() == {"duplicate": False}
    assert post(client, given.batch(10, 0)).json() == {"duplicate": True}
    status = client.get("/status").json()
    assert (status["rows"], status["duplicates"]) == (10, 1)


def test_a_watermark_scores_the_window_and_answers_with_its_events(client, given):
    post(client, given.batch(300, 0.5))
    answer = post(client, given.watermark(1)).json()
    assert (answer["windows"], [e["type"] for e in answer["events"]]) == (1, [SCORED])
    event = answer["events"][0]
    assert event["id"] == f"{given.loop}/{given.version}/2012-04-01T00:00:00Z/scored"
    assert (event["source"], event["time"]) == (
        "/driftloop/ads-ctr/sidecar",
        "2012-04-01T01:00:00Z",
    )
    data = event["data"]
    assert (data["n"], data["mean_prediction"], data["weight"]) == (300, 0.25, 300.0)
    assert [f["name"] for f in data["features"]] == ["relevance", "device"]


def test_a_window_that_is_not_over_stays_open(client, given):
    post(client, given.batch(300, 0.5))
    assert post(client, given.watermark(0.99)).json() == {"windows": 0, "events": []}


def test_a_shift_is_told_as_drift(client, given):
    post(client, given.batch(300, 0.5, shift=2.0))
    scored, detected = post(client, given.watermark(1)).json()["events"]
    assert (scored["type"], detected["type"]) == (SCORED, DETECTED)
    assert [shift["name"] for shift in detected["data"]["shifts"]] == ["relevance"]
    assert detected["id"].endswith("/detected")


def test_a_fault_is_told_with_its_share(client, given):
    features = given.draw(300, seed=5) | {"device": [None] * 300}
    post(client, given.batch(300, 0.5, features=features))
    detected = post(client, given.watermark(1)).json()["events"][1]
    assert detected["data"]["faults"] == [{"name": "device", "fault": "missing", "share": 1.0}]
    assert detected["data"]["shifts"] == []


def test_a_small_window_is_carried_into_the_next(client, given):
    post(client, given.batch(30, 0.5))
    assert post(client, given.watermark(1)).json()["windows"] == 0
    post(client, given.batch(30, 1.5, seq=30))
    (event,) = post(client, given.watermark(2)).json()["events"]
    assert event["data"]["n"] == 60
    assert event["data"]["window_start"] == "2012-04-01T00:00:00Z"
    assert event["data"]["window_end"] == "2012-04-01T02:00:00Z"


def test_the_mean_prediction_goes_by_weight(client, given):
    changes = {"predictions": [0.0] * 50 + [1.0] * 50, "weights": [1.0] * 50 + [3.0] * 50}
    post(client, given.batch(100, 0.5, **changes))
    (event,) = post(client, given.watermark(1)).json()["events"]
    assert event["data"]["mean_prediction"] == 0.75


def test_a_window_without_predictions_has_no_mean(client, given):
    post(client, given.batch(100, 0.5, predictions=[None] * 100))
    (event,) = post(client, given.watermark(1)).json()["events"]
    assert event["data"]["mean_prediction"] is None


def test_a_closed_window_is_in_the_inference_log(client, store, given):
    post(client, given.batch(30, 0.5, seq=30))
    post(client, given.batch(30, 0.2, seq=0))
    assert logged(store) == {}
    post(client, given.watermark(1))
    (key,) = logged(store)
    assert key == f"inference/ads-ctr/date=2012-04-01/hour=00/{given.version}-pod-1-0.parquet"
    assert sorted(logged(store)[key]["seq"].to_pylist()) == list(range(60))


def test_pods_have_their_own_files(client, store, given):
    post(client, given.batch(30, 0.5, seq=0))
    post(client, given.batch(30, 0.5, seq=30, pod_uid="pod-2"))
    post(client, given.watermark(1))
    assert [table.num_rows for table in logged(store).values()] == [30, 30]


def test_a_large_window_is_logged_in_parts(client, monitor, store, given, monkeypatch):
    monkeypatch.setattr("drift_sidecar.spool.SEGMENT_ROWS", 40)
    post(client, given.batch(50, 0.5))
    monitor.uploader.upload()
    assert [table.num_rows for table in logged(store).values()] == [50]
    post(client, given.batch(30, 0.5, seq=50))
    (event,) = post(client, given.watermark(1)).json()["events"]
    assert event["data"]["n"] == 80
    assert [table.num_rows for table in logged(store).values()] == [50, 30]


def test_what_waits_is_written_at_the_end_and_not_scored(client, monitor, store, given):
    post(client, given.batch(300, 0.5))
    monitor.finish()
    assert [table.num_rows for table in logged(store).values()] == [300]
    assert client.get("/status").json()["windows"] == 0


def test_later_data_close_windows_after_a_whole_length(client, monitor, given):
    post(client, given.batch(300, 0.5))
    post(client, given.batch(300, 1.9, seq=300))
    assert not monitor.work.is_set()
    post(client, given.batch(1, 2.0, seq=600))
    assert monitor.work.is_set()
    monitor.tend()
    assert client.get("/status").json()["windows"] == 1


def test_late_rows_count_in_the_next_window(client, given):
    post(client, given.watermark(1))
    post(client, given.batch(100, 0.5))
    (event,) = post(client, given.watermark(2)).json()["events"]
    assert event["data"]["window_start"] == "2012-04-01T01:00:00Z"
    assert client.get("/status").json()["late"] == 100


def test_events_reach_the_sink_before_the_answer(store, given, make_sink):
    sink = make_sink(503)
    settings = Settings(store.uri, given.loop, given.version, sink.address)
    client = TestClient(app.create_app(create_monitor(settings)))
    post(client, given.batch(300, 0.5, shift=2.0))
    assert post(client, given.watermark(1)).status_code == 200
    assert sink.types == [SCORED, DETECTED]


def test_a_disk_that_refuses_is_told_and_counted(client, monitor, given, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(monitor.outbox, "put", full)
    post(client, given.batch(300, 0.5))
    refused = post(client, given.watermark(1))
    sentence = "The sidecar's disk takes nothing; send the event again later."
    assert (refused.status_code, refused.json()) == (503, {"error": sentence})
    status = client.get("/status").json()
    assert (status["rejected"], status["intake"]["refused"]["busy"]) == (1, 1)
    monkeypatch.undo()
    assert post(client, given.watermark(1)).json()["windows"] == 1


class Failing:
    """A store that refuses the first write, as a full disk does."""

    def __init__(self, store):
        self.store, self.uri, self.refusals = store, store.uri, 1

    def put(self, key, content):
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("No space left.")
        self.store.put(key, content)


def test_a_failing_store_loses_no_record_and_no_window(client, monitor, store, given):
    monitor.uploader.log.store = Failing(store)
    post(client, given.batch(300, 0.5))
    refused = post(client, given.watermark(1))
    assert (refused.status_code, refused.json()) == (503, {"error": "No space left."})
    assert post(client, given.watermark(1)).json()["windows"] == 1
    assert [table.num_rows for table in logged(store).values()] == [300]
    assert client.get("/status").json()["waiting"] == 0


def test_a_store_that_stays_away_fills_the_spool_and_the_oldest_rows_give_way(store, given):
    monitor = create_monitor(Settings(store.uri, given.loop, given.version, spool_bytes=60_000))
    client = TestClient(app.create_app(monitor))
    for number in range(20):
        event = given.batch(50, number, seq=50 * number)
        assert post(client, event).status_code == 202
    status = client.get("/status").json()
    dropped = status["dropped"]["spool_full"]
    assert 0 < dropped < 1000
    assert status["spool_bytes"] <= 60_000
    monitor.finish()
    kept = sorted(seq for table in logged(store).values() for seq in table["seq"].to_pylist())
    assert kept == list(range(dropped, 1000))
    labels = f'{{loop="{given.loop}",bundle="{given.version}",reason="spool_full"}}'
    assert f"driftloop_records_dropped_total{labels} {dropped}" in client.get("/metrics").text


def test_rows_that_never_came_are_counted_and_late_ones_fill_the_gap(client, given):
    post(client, given.batch(10, 0, seq=0))
    post(client, given.batch(10, 0, seq=30))
    assert client.get("/status").json()["missing"] == 20
    post(client, given.batch(15, 0, seq=10))
    post(client, given.batch(15, 0, seq=10))
    assert client.get("/status").json()["missing"] == 5
    text = client.get("/metrics").text
    labels = f'{{loop="{given.loop}",bundle="{given.version}"}}'
    assert f"driftloop_records_missing{labels} 5" in text


@pytest.mark.parametrize("changes", [{"loop": "other"}, {"bundle_version": "0002-00000000"}])
def test_a_foreign_batch_is_a_conflict(client, given, changes):
    answer = post(client, given.batch(1, 0, **changes))
    assert answer.status_code == 409
    assert "This sidecar watches ads-ctr" in answer.json()["error"]


BAD = {
    "no json": (b"{", {}),
    "bad utf-8": (b"\xff\xfe{}", {}),
    "a list": (b"[]", {}),
    "deep": (b"[" * 200_000, {}),
    "another type": (b"{}", {"content-type": "text/plain"}),
    "no event": (b"{}", {}),
    "another event": (
        json.dumps(
            {
                "specversion": "1.0",
                "id": "1",
                "source": "s",
                "type": "x",
                "time": "2012-04-01T00:00:00Z",
            }
        ).encode(),
        {},
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_requests_are_refused_with_a_sentence_and_counted(client, name):
    body, headers = BAD[name]
    answer = client.post("/", content=body, headers={"content-type": STRUCTURED} | headers)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert client.get("/status").json()["rejected"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"features": {}},
        {"features": {"relevance": [1.0], "device": ["a"], "colour": ["x"]}},
        {"predictions": []},
        {"predictions": "0"},
        {"latency_ms": "soon"},
        {"latency_ms": []},
        {"event_time": "yesterday"},
        {"event_time": "9999-12-31T23:59:59Z"},
        {"event_time": "0001-01-01T00:00:00Z"},
        {"pod_uid": "../../etc"},
        {"first_seq": True},
        {"prediction_ids": [7]},
        {"surprise": 1},
    ],
    ids=str,
)
def test_wrong_batches_are_refused_and_take_nothing(client, given, changes):
    event = given.batch(1, 0, **changes)
    assert post(client, event, structured=True).status_code == 400
    status = client.get("/status").json()
    assert (status["rows"], status["rejected"]) == (0, 1)
    assert post(client, given.batch(1, 0)).json() == {"duplicate": False}


@pytest.mark.parametrize("data", [{}, {"event_time": 5}, {"event_time": "9999-01-01T00:00:00Z"}])
def test_wrong_watermarks_are_refused(client, given, data):
    event = given.watermark(1).to_dict() | {"data": data}
    headers = {"content-type": STRUCTURED}
    assert client.post("/", content=json.dumps(event), headers=headers).status_code == 400


def test_half_a_character_in_a_message_is_still_an_answer(client, given):
    event = given.batch(1, 0).to_dict() | {"type": "\ud800"}
    answer = client.post("/", content=json.dumps(event), headers={"content-type": STRUCTURED})
    assert answer.status_code == 400


def test_a_body_beyond_the_limit_is_refused(client, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_BODY", 100)
    assert client.post("/", content=b"x" * 101).status_code == 413
    assert client.post("/", content=iter([b"x" * 60] * 2)).status_code == 413


def test_health_answers(client):
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_metrics_count_what_status_counts(client, given):
    assert post(client, given.batch(10, 0)).status_code == 202
    text = client.get("/metrics").text
    labels = f'{{loop="{given.loop}",bundle="{given.version}"}}'
    assert f"driftloop_sidecar_rows_total{labels} 10" in text
    assert f"driftloop_sidecar_undelivered_total{labels} 0" in text
    named = set(metrics.COUNTERS) | set(metrics.GAUGES)
    assert named <= set(client.get("/status").json())
