"""KServe's payload logger: bodies of both protocols in both modes, paired in either order."""

import base64
import struct

import pytest

from drift_sidecar.intake import joining
from driftloop_contracts.errors import StoreUnavailable
from driftloop_contracts.inference import prediction_id

OBJECTS = {"instances": [{"device": "a", "relevance": 1.5}, {"relevance": None, "device": None}]}
LISTS = {"instances": [[1.5, "a"], [None, None]]}
TENSORS = {
    "inputs": [
        {"name": "device", "shape": [2, 1], "datatype": "BYTES", "data": ["a", None]},
        {"name": "relevance", "shape": [2], "datatype": "FP64", "data": [1.5, None]},
    ]
}
ANSWERS = {
    "v1": {"predictions": [0.25, 0.5]},
    "v1 nested": {"predictions": [[0.25], [0.5]]},
    "v2": {"outputs": [{"name": "p", "shape": [2], "datatype": "FP32", "data": [0.25, 0.5]}]},
    "v2 with ids": {
        "outputs": [
            {"name": "prediction_id", "shape": [2], "datatype": "BYTES", "data": ["x", "y"]},
            {"name": "p", "shape": [2, 1], "datatype": "FP32", "data": [[0.25], [0.5]]},
        ]
    },
}


def binary_body(side):
    return side.binary(
        [
            ("relevance", [2], "FP64", struct.pack("<2d", 1.5, float("nan"))),
            ("device", [2], "BYTES", side.texts("a", "сalé")),
        ]
    )


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("body", [OBJECTS, LISTS, TENSORS], ids=["objects", "lists", "tensors"])
def test_a_pair_is_one_record_an_instance(side, body, answer):
    assert side.post(side.request, body).status_code == 200
    assert side.post(side.response, ANSWERS[answer]).status_code == 200
    first, second = side.logged()
    assert (first["relevance"], first["device"], first["prediction"]) == (1.5, "a", 0.25)
    assert (second["relevance"], second["device"], second["prediction"]) == (None, None, 0.5)
    assert [row["prediction_id"] for row in (first, second)] == [
        prediction_id("1", 0),
        prediction_id("1", 1),
    ]
    assert (first["pod_uid"], first["seq"], second["seq"]) == ("pod-x", 0, 1)
    assert (first["event_time"], first["weight"]) == (side.given.at(0.5), 1.0)


def test_keys_may_be_numbers_in_one_request_and_text_in_the_next(side):
    """What waits shares its columns' types with the requests that are like it, and no others."""
    for number, key in enumerate((7, "seven", None, 8)):
        body = {"instances": [{"relevance": 1.5, "device": "a", "ad_id": key}]}
        assert side.post(side.request, body, str(number)).status_code == 200
    for number in (3, 1, 0, 2):
        side.post(side.response, {"predictions": [number]}, str(number), hour=0.75)
    found = {row["ad_id"]: (row["seq"], row["prediction"]) for row in side.logged()}
    assert found == {"7": (0, 0.0), "seven": (1, 1.0), None: (2, 2.0), "8": (3, 3.0)}


def test_the_response_may_come_first(side):
    side.post(side.response, ANSWERS["v1"])
    assert side.counts["halves"] == 1
    side.post(side.request, LISTS)
    assert (side.counts["halves"], side.counts["halves_bytes"]) == (0, 0)
    assert [row["prediction"] for row in side.logged()] == [0.25, 0.5]


def fill_the_disk(monkeypatch):
    def full(*_):
        raise OSError("No space left on device.")

    monkeypatch.setattr("drift_sidecar.spool.Spool.append", full)


def test_rows_are_numbered_as_they_come_so_that_a_gap_is_what_was_let_go(side, monkeypatch):
    for event_id in "abc":
        side.post(side.request, LISTS, event_id)
    side.post(side.response, ANSWERS["v1"], "c")
    fill_the_disk(monkeypatch)
    side.intake.finish()
    monkeypatch.undo()
    assert side.counts["dropped"]["busy"] == 4
    assert [row["seq"] for row in side.logged()] == [4, 5]


def test_latency_is_the_time_between_the_two(side):
    side.post(side.request, LISTS)
    side.post(side.response, ANSWERS["v1"], hour=0.5 + 0.25 / 3600)
    assert side.logged()[0]["latency_ms"] == pytest.approx(250)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "", "text/html"])
def test_any_content_type_of_the_caller_is_taken(side, kind):
    assert side.post(side.request, LISTS, content_type=kind).status_code == 200
    assert side.post(side.response, ANSWERS["v1"], content_type=kind).status_code == 200
    assert side.counts["paired"] == 1


@pytest.mark.parametrize("with_length", [True, False])
def test_binary_tensors_are_found_with_and_without_the_header(side, with_length):
    body = binary_body(side)
    length = str(body.index(b"]}") + 2) if with_length else None
    more = {"inference-header-content-length": length} if with_length else {}
    answer = side.post(side.request, body, content_type="application/octet-stream", **more)
    assert answer.status_code == 200, answer.text
    rows = side.logged()
    assert [(row["relevance"], row["device"]) for row in rows] == [(1.5, "a"), (None, "сalé")]


@pytest.mark.parametrize(
    ("datatype", "form", "values"),
    [
        ("BOOL", "2?", [True, False]),
        ("UINT8", "2B", [3, 255]),
        ("UINT16", "<2H", [3, 65535]),
        ("UINT32", "<2I", [3, 2**32 - 1]),
        ("INT8", "2b", [-3, 4]),
        ("INT16", "<2h", [-300, 4]),
        ("INT32", "<2i", [-70000, 4]),
        ("INT64", "<2q", [-(2**40), 4]),
        ("FP16", "<2e", [0.5, -2]),
        ("FP32", "<2f", [0.5, -2]),
        ("FP64", "<2d", [0.1, -2]),
    ],
)
def test_every_datatype_is_read_from_its_bytes(side, datatype, form, values):
    tensors = [
        ("relevance", [2, 1], datatype, struct.pack(form, *values)),
        ("device", [2], "BYTES", side.texts("a", "b")),
    ]
    assert side.post(side.request, side.binary(tensors)).status_code == 200
    assert [row["relevance"] for row in side.logged()] == values


@pytest.mark.parametrize("name", ["input-0", "relevance"])
def test_one_tensor_of_all_columns_is_read_by_position(side, name):
    tensor = {"name": name, "shape": [2, 2], "datatype": "FP32", "data": [1.5, 3, 2.5, 4]}
    side.post(side.request, {"inputs": [tensor]})
    rows = side.logged()
    assert [(row["relevance"], row["device"]) for row in rows] == [(1.5, "3"), (2.5, "4")]


def test_structured_mode_holds_json_text_or_base64(side):
    body = base64.b64encode(binary_body(side)).decode()
    assert side.post_structured(side.request, "a", data=LISTS).status_code == 200
    assert side.post_structured(side.request, "b", data='{"instances": []}').status_code == 200
    assert side.post_structured(side.request, "c", data_base64=body).status_code == 200
    assert side.post_structured(side.response, "a", data=ANSWERS["v1"]).status_code == 200
    assert (side.counts["requests"], side.counts["paired"]) == (3, 1)


def test_entity_keys_beside_the_features_are_kept(side):
    side.post(side.request, {"instances": [{"relevance": 1, "device": "a", "ad_id": 7}]})
    assert side.logged()[0]["ad_id"] == 7


def test_a_key_that_is_not_configured_is_an_unknown_feature(make_side):
    side = make_side()
    body = {"instances": [{"relevance": 1, "device": "a", "ad_id": 7}]}
    answer = side.post(side.request, body)
    assert answer.status_code == 400
    assert "'ad_id'" in answer.json()["error"]


@pytest.mark.parametrize("kind", ["request", "response"])
@pytest.mark.parametrize("wait", [False, True], ids=["waiting", "paired"])
def test_a_repeated_event_is_counted_and_not_doubled(side, kind, wait):
    bodies = {"request": LISTS, "response": ANSWERS["v1"]}
    first = ["request", "response"] if wait else [kind]
    for name in first:
        side.post(getattr(side, name), bodies[name])
    again = side.post(getattr(side, kind), bodies[kind])
    assert (again.status_code, again.json()) == (200, {"duplicate": True})
    assert side.counts["duplicate_events"] == 1
    assert len(side.logged()) == (2 if wait or kind == "request" else 0)


def test_a_request_that_is_never_answered_is_taken_without_a_prediction(side):
    side.post(side.request, LISTS)
    side.time = 59.0
    side.intake.tend()
    assert side.client.get("/status").json()["rows"] == 0
    side.time = 60.0
    side.intake.tend()
    assert side.client.get("/status").json()["rows"] == 2
    assert side.counts["unanswered"]["expired"] == 1
    assert [row["prediction"] for row in side.logged()] == [None, None]


def test_a_response_without_a_request_is_dropped_and_counted_by_its_records(side):
    side.post(side.response, ANSWERS["v1"])
    side.time = 60.0
    side.intake.tend()
    assert side.counts["dropped"]["no_request"] == 2
    labels = f'{{loop="{side.given.loop}",bundle="{side.given.version}",reason="no_request"}}'
    for path in ("/metrics", "/v1/metrics"):
        assert f"driftloop_records_dropped_total{labels} 2\n" in side.client.get(path).text
    assert side.logged() == []


@pytest.mark.parametrize("first", ["request", "response"])
def test_a_response_of_another_length_leaves_the_request_without_a_prediction(side, first):
    def send(kind):
        return side.post(*bodies[kind]).status_code

    bodies = {"request": (side.request, LISTS), "response": (side.response, {"predictions": [1]})}
    second = "response" if first == "request" else "request"
    assert (send(first), send(second)) == (200, 400 if second == "response" else 200)
    assert side.counts["unanswered"]["mismatched"] == 1
    assert [row["prediction"] for row in side.logged()] == [None, None]


def test_the_oldest_half_makes_room(make_side, monkeypatch):
    monkeypatch.setattr(joining, "ENTRIES", 2)
    side = make_side()
    side.post(side.response, {"predictions": [1, 2, 3]}, "0")
    for event_id in "abc":
        side.post(side.request, LISTS, event_id)
    assert (side.counts["halves"], side.counts["unanswered"]["evicted"]) == (2, 1)
    assert side.counts["dropped"]["evicted"] == 3
    assert side.client.get("/status").json()["rows"] == 2


def test_the_bytes_that_wait_are_bounded_and_a_giant_pushes_no_other_out(make_side, monkeypatch):
    monkeypatch.setattr(joining, "SIZE", 30_000)
    side = make_side()
    side.post(side.request, LISTS, "small")
    side.post(side.request, {"instances": [[0.5, "a" * 500]] * 100}, "giant")
    assert side.client.get("/status").json()["rows"] == 100
    assert (side.counts["halves"], side.counts["unanswered"]["evicted"]) == (1, 1)
    for number in range(100):
        side.post(side.request, LISTS, f"more-{number}")
        assert side.counts["halves_bytes"] <= 30_000


def test_a_full_monitor_is_503_and_the_pair_goes_on_when_there_is_room(side, monkeypatch):
    fill_the_disk(monkeypatch)
    side.post(side.request, LISTS)
    assert side.post(side.response, ANSWERS["v1"]).status_code == 503
    side.time = 60.0
    side.intake.tend()
    side.intake.settle(side.given.at(1))
    assert side.counts["halves"] == 1
    monkeypatch.undo()
    side.intake.tend()
    assert [row["prediction"] for row in side.logged()] == [0.25, 0.5]


def test_what_finds_no_room_at_the_end_is_counted(side, monkeypatch):
    fill_the_disk(monkeypatch)
    side.post(side.request, LISTS)
    side.intake.finish()
    assert side.counts["dropped"]["busy"] == 2
    assert side.counts["halves"] == 0


def test_a_store_that_fails_while_a_request_expires_loses_nothing(side, monkeypatch):
    def fail(*_):
        raise StoreUnavailable("No space left.")

    side.post(side.request, LISTS)
    side.time = 60.0
    monkeypatch.setattr(side.monitor, "take_records", fail)
    side.intake.tend()
    monkeypatch.undo()
    side.intake.tend()
    assert len(side.logged()) == 2


def test_only_the_named_inference_service_is_taken(make_side):
    side = make_side(inference_service="ads")
    other = {"ce-inferenceservicename": "fraud"}
    assert side.post(side.request, LISTS).status_code == 200
    refused = side.post(side.request, LISTS, "2", **other)
    assert refused.status_code == 409
    assert "'fraud'" in refused.json()["error"]
    assert side.counts["refused"]["foreign"] == 1


def test_any_inference_service_is_taken_unless_one_is_named(side):
    other = {"ce-inferenceservicename": "fraud"}
    assert side.post(side.request, LISTS, **other).status_code == 200


@pytest.mark.parametrize(
    ("chosen", "body"),
    [
        ("1", {"predictions": [[0.75, 0.25], [0.5, 0.5]]}),
        ("p", {"predictions": [{"p": 0.25, "q": 1}, {"p": 0.5, "q": 1}]}),
        (
            "p",
            {
                "outputs": [
                    {"name": "q", "shape": [2], "datatype": "FP32", "data": [1, 1]},
                    {"name": "p", "shape": [2], "datatype": "FP32", "data": [0.25, 0.5]},
                ]
            },
        ),
        (
            "1",
            {
                "outputs": [
                    {"name": "p", "shape": [2, 2], "datatype": "FP32"}
                    | {"data": [0.75, 0.25, 0.5, 0.5]}
                ]
            },
        ),
    ],
)
def test_one_of_several_numbers_is_chosen(make_side, chosen, body):
    side = make_side(prediction=chosen)
    side.post(side.request, LISTS)
    assert side.post(side.response, body).status_code == 200
    assert [row["prediction"] for row in side.logged()] == [0.25, 0.5]


def test_several_numbers_without_a_choice_are_refused_and_the_inputs_stay(side):
    side.post(side.request, LISTS)
    answer = side.post(side.response, {"predictions": [[0.5, 0.5]] * 2})
    assert answer.status_code == 400
    assert "DRIFTLOOP_PREDICTION" in answer.json()["error"]
    assert len(side.logged()) == 2


def test_an_id_of_another_header_stays_in_the_id(side):
    answer = side.post(side.request, LISTS, "1%0D%0Aset-cookie:%20a=b")
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert side.logged()[0]["prediction_id"] == prediction_id("1\r\nset-cookie: a=b", 0)


def test_drift_in_what_the_logger_sent_is_told(side):
    rows = side.given.draw(300, seed=3, shift=2.0)
    columns = zip(rows["relevance"], rows["device"], strict=True)
    for number, row in enumerate(columns):
        side.post(side.request, {"instances": [list(row)]}, str(number))
        side.post(side.response, {"predictions": [0.5]}, str(number))
    scored, detected = side.monitor.close(int(side.given.at(1).timestamp()))
    assert (scored.data["n"], scored.data["mean_prediction"]) == (300, 0.5)
    assert [shift["name"] for shift in detected.data["shifts"]] == ["relevance"]


def test_a_watermark_waits_for_no_response_of_the_windows_it_closes(side):
    row = {"instances": [[0.5, "a"]] * 60}
    side.post(side.request, row, "before")
    side.post(side.request, row, "after", hour=1.5)
    headers, body = side.given.watermark(1).to_http()
    event = side.client.post("/", content=body, headers=headers).json()["events"][0]
    assert (event["data"]["n"], event["data"]["mean_prediction"]) == (60, None)
    assert (side.counts["unanswered"]["watermark"], side.counts["halves"]) == (1, 1)
