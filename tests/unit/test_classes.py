"""A loop of classes: what its declaration must say, what it costs, and what its cohorts tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from driftloop import loop
from driftloop.evaluation import cohort, kpi
from driftloop.features import logged
from driftloop.loop import LearningLoop
from driftloop.spec.costs import Costs
from driftloop_contracts.errors import InvalidInput

TICKETS = Path(__file__).parents[1] / "classes" / "usecases" / "tickets" / "loop.yaml"
NOON = pd.Timestamp("2026-03-01T12:00Z").as_unit("us")
HOUR = pd.Timedelta(hours=1)


@pytest.fixture
def tickets() -> dict[str, Any]:
    return yaml.safe_load(TICKETS.read_text())["spec"]


def parsed(spec: dict[str, Any]) -> LearningLoop:
    whole = yaml.safe_load(TICKETS.read_text()) | {"spec": spec}
    return loop.parse(whole, "loop.yaml")


def text(**given: Any) -> dict[str, Any]:
    return {"name": "body", "kind": "text", "origin": "request"} | given


MISTAKES: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "no classes": (("objective", "classes"), [], "classes if, and only if"),
    "one class": (("objective", "classes"), ["hr"], "2 to 50 classes"),
    "a class twice": (("objective", "classes"), ["hr", "it", "hr"], "each named once"),
    "classes of a log loss": (("objective", "metric"), "log_loss", "classes if, and only if"),
    "no no": (("data", "labels", 0, "absent"), "negative", "'absent' is 'unknown'"),
    "a person costs more": (("charter", "costs", "person"), 30, "costs less than a wrong answer"),
    "a free person": (("charter", "costs", "person"), 0, "greater than 0"),
    "its own column": (("features", "columns", 1, "name"), "predicted_class", "other names than"),
    "a derived name": (("features", "columns", 1, "name"), "message_topic", "'message_topic'"),
    "a text looked up": (("features", "columns", 0), text(origin="v"), "origin is 'request'"),
    "a text's range": (("features", "columns", 0), text(range=[0, 1]), "no range"),
    "slices of a text": (("gate", "slices", "columns"), ["message"], "gate.slices.columns among"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(tickets: dict[str, Any], name: str) -> None:
    path, value, sentence = MISTAKES[name]
    inner: Any = tickets
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    with pytest.raises(InvalidInput, match=sentence) as refused:
        parsed(tickets)
    assert "\n" not in str(refused.value)


def test_costs_without_classes_are_refused(ads: LearningLoop, content: dict[str, Any]) -> None:
    costs = {"unit": "EUR", "wrongAnswer": 2, "person": 1}
    charter = content["spec"]["charter"] | {"costs": costs}
    spec = content["spec"] | {"charter": charter}
    with pytest.raises(InvalidInput, match="only where the objective has classes"):
        loop.parse(content | {"spec": spec}, "loop.yaml")


def test_the_columns_of_a_record(tickets: dict[str, Any]) -> None:
    found = {column.name: column for column in logged.columns(parsed(tickets))}
    assert {name: one.kind for name, one in found.items()} == {
        "message": "categorical",
        "message_length": "numeric",
        "message_words": "numeric",
        "message_unknown": "categorical",
        "message_language": "categorical",
        "message_topic": "categorical",
        "channel": "categorical",
        "it_share_7d": "numeric",
        "predicted_class": "categorical",
    }
    tested = [name for name, column in found.items() if column.monitored]
    assert "message" not in tested
    assert {"message_topic", "channel", "predicted_class"} <= {*tested}


def test_a_record_without_classes_and_texts_has_the_models_columns(ads: LearningLoop) -> None:
    assert logged.columns(ads) == list(ads.spec.features.columns)
    assert logged.judged(ads.spec.features) == ads.spec.features.names()


def test_the_threshold_is_where_a_person_costs_as_much() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        person, wrong = np.sort(rng.uniform(0.01, 50, 2))
        costs = Costs(unit="EUR", wrong_answer=wrong, person=person)
        confidence = rng.random(50)
        least = np.minimum((1 - confidence) * wrong, person)
        paid = np.where(costs.decided(confidence), (1 - confidence) * wrong, person)
        assert (paid == least).all()
    assert not Costs(unit="EUR", wrong_answer=4, person=1).decided(np.array([0.75]))[0]


@pytest.fixture
def records() -> pd.DataFrame:
    """Four answers, of which one was wrong and one too unsure to be given."""
    frame = {"prediction_id": list("abcd"), "event_time": NOON, "weight": [1.0, 1.0, 2.0, 1.0]}
    frame |= {"prediction": [0.9, 0.95, 0.99, 0.5], "bundle_version": "v1", "requester_id": 1}
    return pd.DataFrame(frame | {"predicted_class": ["hr", "it", "hr", "accounting"]})


@pytest.fixture
def outcomes() -> pd.DataFrame:
    frame = {"prediction_id": list("abcd"), "label": "handled_by", "value": 1.0, "revision": 0}
    frame |= {"category": ["hr", "hr", "hr", "accounting"], "event_time": NOON}
    return pd.DataFrame(frame | {"known_time": NOON + HOUR})


def test_a_cohort_tells_what_was_right_and_what_was_decided(
    tickets: dict[str, Any], records: pd.DataFrame, outcomes: pd.DataFrame
) -> None:
    own = parsed(tickets)
    end = (NOON + 48 * HOUR).to_pydatetime()
    found = cohort.between(records, outcomes, own, NOON.to_pydatetime(), end)
    assert found is not None
    assert (found["impressions"], found["positives"], found["rate"]) == (5.0, 4.0, 0.8)
    assert (found["decided"], found["decided_right"]) == (4.0, 3.0)
    assert found["mean_prediction"] == pytest.approx((0.9 + 0.95 + 2 * 0.99 + 0.5) / 5)
    assert found["kpi"] == pytest.approx((20 * 1 + 4 * 1) / 5)


def test_without_costs_every_answer_is_given(
    tickets: dict[str, Any], records: pd.DataFrame, outcomes: pd.DataFrame
) -> None:
    del tickets["charter"]["costs"]
    end = (NOON + 48 * HOUR).to_pydatetime()
    found = cohort.between(records, outcomes, parsed(tickets), NOON.to_pydatetime(), end)
    assert found is not None
    assert (found["decided"], found["decided_right"]) == (5.0, 4.0)


def test_records_that_no_classes_were_answered_to_make_no_cohort(
    tickets: dict[str, Any], records: pd.DataFrame, outcomes: pd.DataFrame
) -> None:
    older = records.drop(columns="predicted_class")
    end = (NOON + 48 * HOUR).to_pydatetime()
    assert cohort.between(older, outcomes, parsed(tickets), NOON.to_pydatetime(), end) is None


def test_the_numbers_of_an_outcome_are_those_they_were(ads: LearningLoop) -> None:
    names = {"rows", "impressions", "positives", "mean_prediction", "log_loss", "base_entropy"}
    found = cohort.numbers.score([0.5], [1], [1]).values()
    assert {*found} == names | {"rate"}
    with pytest.raises(InvalidInput):
        kpi.evaluate("decided / impressions", found)


def test_two_bundles_side_by_side_are_compared_by_a_kpi_of_decisions(
    tickets: dict[str, Any],
) -> None:
    rng, size = np.random.default_rng(1), 4000
    newer = rng.random(size) < 0.5
    wrong = rng.random(size) < np.where(newer, 0.05, 0.2)
    rows = pd.DataFrame(
        {
            "event_time": NOON + pd.to_timedelta(rng.uniform(0, 4, size), unit="h"),
            "bundle_version": np.where(newer, "0002-b", "0001-a"),
            "requester_id": rng.integers(300, size=size),
            "prediction": np.where(newer, 0.95, 0.85),
            "positives": (~wrong).astype(float),
            "weight": 1.0,
        }
    )
    found = cohort.beside.compare(rows, parsed(tickets))
    assert found is not None
    values, errors = found["kpi"]["values"], found["kpi"]["errors"]
    # Each answer is given, for 20 EUR where it is wrong; less is better, so the sign is turned.
    for value, error, cost in zip(values, errors, (20 * 0.05, 20 * 0.2), strict=True):
        assert abs(value + cost) < 5 * error < 1.5
