"""The review of a loop whose answers are classes, some of which a person gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop import loop, parquet
from driftloop.archive import Archive
from driftloop.business import steps
from driftloop.loop import LearningLoop
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore

ROWS, DAYS = 3000, 31
CLASSES = ["accounting", "hr", "it"]
DESK = {
    "name": "desk", "label": "handled_by", "metric": "cross_entropy", "direction": "minimize",
    "classes": CLASSES,
    "kpi": {"name": "right", "formula": "decided_right / impressions", "unit": "ratio"},
}  # fmt: skip
TERMS = {
    "period": "14d",
    "prices": {"decided_right": "2 EUR", "decided_wrong": "-6 EUR"},
    "satisfaction": "decided / impressions",
}


@pytest.fixture
def declared(content: dict[str, Any]) -> LearningLoop:
    given = content["spec"]
    charter = {name: given["charter"][name] for name in ("summary", "owner")}
    charter["costs"] = {"unit": "EUR", "wrongAnswer": 8, "person": 2}
    labels = [{"name": "handled_by", "maturity": "2d"}]
    columns = [one for one in given["features"]["columns"] if one["name"] != "category"]
    spec = given | {"charter": charter, "objective": DESK, "business": TERMS}
    spec |= {"data": given["data"] | {"labels": labels}}
    spec |= {"features": given["features"] | {"columns": columns}}
    return loop.parse(content | {"spec": spec}, "loop.yaml")


@pytest.fixture
def answered() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    days = pd.to_timedelta(np.sort(rng.uniform(0, DAYS, ROWS)), unit="D")
    sure, truth = rng.uniform(0.5, 1, ROWS), rng.choice(CLASSES, ROWS)
    return pd.DataFrame(
        {
            "prediction_id": [f"p{number}" for number in range(ROWS)],
            "event_time": (pd.Timestamp("2026-03-02", tz="UTC") + days).as_unit("us"),
            "query_id": rng.integers(300, size=ROWS),
            "weight": 1.0,
            "prediction": sure,
            "predicted_class": np.where(rng.random(ROWS) < sure, truth, "hr").astype(object),
            "category": truth.astype(object),
            "bundle_version": "0001-00000000",
        }
    )


def stored(path: Path, answered: pd.DataFrame, *left_out: str) -> FileStore:
    store = FileStore(path / "store")
    for day, part in answered.groupby(answered["event_time"].dt.floor("D")):
        key = f"inference/ads-ctr/date={day:%Y-%m-%d}/hour=00/part.parquet"
        store.put(key, parquet.dump(part.drop(columns=["category", *left_out])))
    reports = answered[["prediction_id", "event_time", "category"]].assign(
        label="handled_by", value=1.0, revision=0,
        known_time=answered["event_time"] + pd.Timedelta("5h"),
    )  # fmt: skip
    for day, part in reports.groupby(reports["known_time"].dt.ceil("D")):
        Archive(store, "ads-ctr").put("outcomes", f"{day:%Y-%m-%d}", part)
    return store


def test_prices_and_formulas_may_name_what_was_decided(
    declared: LearningLoop, answered: pd.DataFrame, tmp_path: Path
) -> None:
    record = steps.judged(declared, stored(tmp_path, answered)).record
    first = record["periods"][0]
    rows = answered[answered["event_time"] < pd.Timestamp("2026-03-16", tz="UTC")]
    given = (1 - rows["prediction"]) * 8 < 2
    hit = rows["predicted_class"] == rows["category"]
    right = (given & hit).sum()
    wrong = given.sum() - right
    assert wrong > 20
    assert first["positives"] == hit.sum()
    assert first["kpi"]["value"] == pytest.approx(right / len(rows))
    assert first["satisfaction"]["value"] == pytest.approx(given.mean())
    assert first["revenue"]["value"] == pytest.approx(2 * right - 6 * wrong)


def test_records_without_an_answer_are_not_right(
    declared: LearningLoop, answered: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="mature for at least one served row"):
        steps.judged(declared, stored(tmp_path, answered, "predicted_class"))
