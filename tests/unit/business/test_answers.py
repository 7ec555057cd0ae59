"""The review of a loop whose answers are classes, some of which a person gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftloop import loop, parquet
from driftloop.archive import Archive
from driftloop.business import steps
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[3]
ROWS, DAYS = 3000, 31


@pytest.fixture
def answered() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    times = pd.Timestamp("2026-03-02", tz="UTC") + pd.to_timedelta(
        np.sort(rng.uniform(0, DAYS, ROWS)), unit="D"
    )
    sure = rng.uniform(0.5, 1, ROWS)
    truth = rng.choice(["accounting", "hr", "inventory", "it"], ROWS)
    return pd.DataFrame(
        {
            "prediction_id": [f"p{number}" for number in range(ROWS)],
            "event_time": times.as_unit("us"),
            "requester_id": rng.integers(300, size=ROWS),
            "weight": 1.0,
            "prediction": sure,
            "predicted_class": np.where(rng.random(ROWS) < sure, truth, "hr").astype(object),
            "category": truth.astype(object),
            "bundle_version": "0001-00000000",
        }
    )


def test_prices_and_kpi_may_name_what_was_decided(answered: pd.DataFrame, tmp_path: Path) -> None:
    declared = loop.read(ROOT / "usecases" / "support_routing" / "loop.yaml")
    store = FileStore(tmp_path / "store")
    for day, part in answered.groupby(answered["event_time"].dt.floor("D")):
        key = f"inference/{declared.name}/date={day:%Y-%m-%d}/hour=00/part.parquet"
        store.put(key, parquet.dump(part.drop(columns="category")))
    reports = answered[["prediction_id", "event_time", "category"]].assign(
        label="department", value=1.0, revision=0,
        known_time=answered["event_time"] + pd.Timedelta("5h"),
    )  # fmt: skip
    archive = Archive(store, declared.name)
    for day, part in reports.groupby(reports["known_time"].dt.ceil("D")):
        archive.put("outcomes", f"{day:%Y-%m-%d}", part)
    record = steps.written(declared, store).record
    first = record["periods"][0]
    rows = answered[answered["event_time"] < pd.Timestamp("2026-03-16", tz="UTC")]
    given = (1 - rows["prediction"]) * 8 < 2
    right = (given & (rows["predicted_class"] == rows["category"])).sum()
    wrong = given.sum() - right
    assert wrong > 20
    assert first["kpi"]["value"] == pytest.approx(right / len(rows))
    assert first["revenue"]["value"] == pytest.approx(right - 3 * wrong)
    assert first["satisfaction"]["value"] == pytest.approx((2 * right - 6 * wrong) / len(rows))
