"""What a bundle costs is measured on the model that would be served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from driftloop import usecase
from driftloop.bundle import cost, model_file
from driftloop.training import fit

RNG = np.random.default_rng(0)


@pytest.fixture
def rows() -> pd.DataFrame:
    names = usecase.find("ads_ctr").loop.spec.features.columns
    texts = np.array(["a", "b"], dtype=object)
    columns = {
        c.name: RNG.choice(texts, 400) if c.kind == "categorical" else RNG.random(400)
        for c in names
    }
    labels = {"positives": RNG.integers(0, 2, 400), "weight": np.ones(400)}
    days = pd.date_range("2026-01-01", periods=400, freq="h", tz="UTC")
    return pd.DataFrame(columns | labels).assign(event_time=days)


@pytest.fixture
def model(rows: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "model.skops"
    fitted = fit.fit(usecase.find("ads_ctr"), "logistic", rows)
    path.write_bytes(model_file.dump(fitted))
    return path


def test_a_cost_is_in_milliseconds_and_bytes(rows: pd.DataFrame, model: Path) -> None:
    ticks = iter(np.arange(0, 1000, 0.002))
    found = cost.measure(usecase.find("ads_ctr"), model, rows, 12_345, lambda: next(ticks))
    assert (found.latency_ms, found.size) == (2.0, 12_345)
    assert model.stat().st_size < found.memory < 100e6
    assert set(found.to_data()) == {"latency_ms", "size", "memory"}


def test_memory_follows_what_the_model_holds(tmp_path: Path) -> None:
    sizes = []
    for width in (10, 100_000):
        path = tmp_path / f"{width}.skops"
        many = LogisticRegression(tol=10.0).fit(RNG.random((20, width)), [0, 1] * 10)
        path.write_bytes(model_file.dump(many))
        sizes.append(cost.peak(lambda path=path: model_file.load(path))[1])
    assert sizes[1] - sizes[0] > 0.9 * 99_990 * 8
