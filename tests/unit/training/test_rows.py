"""Rows of a training window: what is used, what is set aside, what stops the training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from driftloop import parquet
from driftloop.archive import Archive
from driftloop.inference_log import InferenceLog
from driftloop.loop import LearningLoop
from driftloop.training import rows
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore

NOON = pd.Timestamp("2026-01-01T12:00:00Z").as_unit("us")
DAY = pd.Timedelta(days=1)


@pytest.fixture
def sound(ads: LearningLoop) -> pd.DataFrame:
    """As many sound rows as the ads' loop needs."""
    count = ads.spec.training.min_rows * 2
    frame = pd.DataFrame({"prediction_id": [f"r{i}" for i in range(count)], "event_time": NOON})
    frame = frame.assign(weight=2.0, positives=1.0)
    for entity in ads.spec.features.entities:
        frame[entity] = "e"
    for column in ads.spec.features.columns:
        if column.origin == "request":
            frame[column.name] = "c" if column.kind == "categorical" else (column.range[0] or 0.0)
    return frame


def test_sound_rows_are_all_used(sound: pd.DataFrame, ads: LearningLoop) -> None:
    good, bad = rows.validate(sound, ads)
    assert (len(good), len(bad)) == (len(sound), 0)


@pytest.mark.parametrize(
    ("column", "value"), [("positives", -1.0), ("positives", 3.0), ("weight", 0.0),
                          ("weight", float("nan")), ("positives", float("nan"))],
)  # fmt: skip
def test_a_bad_label_is_set_aside_with_its_reason(
    sound: pd.DataFrame, ads: LearningLoop, column: str, value: float
) -> None:
    sound.loc[3, column] = value
    good, bad = rows.validate(sound, ads)
    assert list(bad["prediction_id"]) == ["r3"]
    assert list(bad["reason"]) == ["label outside 0..weight"]
    assert len(good) == len(sound) - 1


def test_a_value_outside_its_range_is_set_aside(sound: pd.DataFrame, ads: LearningLoop) -> None:
    column = next(
        c for c in ads.spec.features.columns if c.origin == "request" and c.range[0] is not None
    )
    sound.loc[3, column.name] = column.range[0] - 1
    _, bad = rows.validate(sound, ads)
    assert list(bad["reason"]) == [f"{column.name} below {column.range[0]}"]


def test_too_many_bad_rows_stop_the_training(sound: pd.DataFrame, ads: LearningLoop) -> None:
    sound.loc[: len(sound) // 3, "positives"] = -1.0
    with pytest.raises(InvalidInput, match="bad rows"):
        rows.validate(sound, ads)


def test_too_few_rows_stop_the_training(sound: pd.DataFrame, ads: LearningLoop) -> None:
    with pytest.raises(InvalidInput, match=r"at least \d+ rows"):
        rows.validate(sound.iloc[:3], ads)


def test_a_missing_column_is_named(sound: pd.DataFrame, ads: LearningLoop) -> None:
    name = ads.spec.features.entities[0]
    with pytest.raises(InvalidInput, match=name):
        rows.validate(sound.drop(columns=name), ads)


def test_a_column_that_is_mostly_missing_is_named(sound: pd.DataFrame, ads: LearningLoop) -> None:
    column = next(c for c in ads.spec.features.columns if c.origin == "request")
    sound[column.name] = None
    with pytest.raises(InvalidInput, match=column.name):
        rows.validate(sound, ads)


def test_a_quarantine_ends_before_its_end(sound: pd.DataFrame) -> None:
    two = sound.iloc[:2].assign(event_time=[NOON, NOON + DAY])
    assert list(rows.without(two, [(NOON, NOON + DAY)])["prediction_id"]) == ["r1"]
    assert len(rows.without(two, [])) == 2


def asked(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"prediction_id": list(ids), "event_time": NOON, "weight": 1.0})


def told(known: pd.Timestamp, *ids: str, value: float = 1.0) -> pd.DataFrame:
    """Return outcomes of ids as an application reports them."""
    named = asked(*ids).drop(columns="weight").assign(label="clicked", value=value)
    return named.assign(known_time=known, revision=0)


@pytest.fixture
def archive(tmp_path: Path, ads: LearningLoop) -> Archive:
    return Archive(FileStore(tmp_path), ads.name)


@pytest.fixture
def log(archive: Archive, ads: LearningLoop) -> InferenceLog:
    return InferenceLog.of(archive.store, ads)


def ingested(archive: Archive, log: InferenceLog, loop: LearningLoop, cutoff: Any) -> list[str]:
    return list(rows.ingest(archive, log, loop, cutoff).rows["prediction_id"])


def test_only_what_is_known_at_the_cut_off_is_ingested(
    ads: LearningLoop, archive: Archive, log: InferenceLog
) -> None:
    archive.put("requests", "2026-01-01", asked("a", "b"))
    archive.put("outcomes", "2026-01-02", told(NOON + DAY, "a"))
    archive.put("outcomes", "2026-01-03", told(NOON + 2 * DAY, "b"))
    assert ingested(archive, log, ads, NOON + DAY) == ["a"]
    assert ingested(archive, log, ads, NOON + 2 * DAY) == ["a", "b"]
    with pytest.raises(InvalidInput, match="labelled rows"):
        rows.ingest(archive, log, ads, NOON)


def test_what_predictors_logged_is_trained_on_beside_what_was_archived(
    ads: LearningLoop, archive: Archive, log: InferenceLog
) -> None:
    archive.put("requests", "2026-01-01", asked("a", "both"))
    logged = asked("c", "both").assign(prediction=0.5, query_id=[7, None])
    place = f"inference/{ads.name}/date=2026-01-01/hour=00/1.parquet"
    archive.store.put(place, parquet.dump(logged.astype({"query_id": "Int64"})))
    archive.put("outcomes", "2026-01-02", told(NOON + DAY, "a", "c", "both"))
    found = rows.ingest(archive, log, ads, NOON + DAY)
    assert list(found.rows["prediction_id"]) == ["a", "both", "c"]
    assert found.rows["query_id"].tolist()[2] == 7
    assert "prediction" not in found.rows
    assert found.coverage.share == 1.0


def test_too_many_outcomes_that_make_no_sense_stop_the_training(
    ads: LearningLoop, archive: Archive, log: InferenceLog
) -> None:
    archive.put("requests", "2026-01-01", asked("a", "b"))
    outcomes = [told(NOON + DAY, "a"), told(NOON + DAY, "b", value=2.0)]
    archive.put("outcomes", "2026-01-02", pd.concat(outcomes))
    with pytest.raises(InvalidInput, match=r"50.0%, mostly: value above its record's weight"):
        rows.ingest(archive, log, ads, NOON + DAY)


def test_a_record_without_a_weight_is_no_record_to_train_on(
    ads: LearningLoop, archive: Archive, log: InferenceLog
) -> None:
    records = asked("a", "b", "c").assign(weight=pd.array([1, None, 1], "Int64"))
    archive.put("requests", "2026-01-01", records)
    archive.put("outcomes", "2026-01-02", told(NOON + DAY, "a", "c"))
    assert ingested(archive, log, ads, NOON + DAY) == ["a", "c"]
