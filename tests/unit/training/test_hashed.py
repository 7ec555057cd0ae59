"""The linear model on hashed categories: as good as the one in memory, whatever the batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from driftloop.bundle import model_file
from driftloop.evaluation import loss
from driftloop.loop import LearningLoop
from driftloop.training import descent, scaling
from driftloop.training.hashed import HashedLinear, hashed_linear

NUMERIC, CATEGORICAL = ["x", "z"], ["c"]
LEVELS = 30


def clicks(rows: int, seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Return rows, true probabilities and weights; one number is missing now and then."""
    rng = np.random.default_rng(seed)
    code, x = rng.integers(0, LEVELS, rows), rng.normal(100, 7, rows)
    effect = np.random.default_rng(9).normal(0, 1, LEVELS)
    odds = -2 + 0.1 * (x - 100) + effect[code]
    gone = rng.random(rows) < 0.1
    odds[gone] += 0.5
    frame = pd.DataFrame({"x": np.where(gone, np.nan, x), "z": 3.0})
    frame["c"] = pd.Series([f"level {n}" for n in code], dtype=object)
    return frame, 1 / (1 + np.exp(-odds)), np.minimum(np.ceil(rng.pareto(1.2, rows) * 3), 30) + 1


@pytest.fixture(scope="module")
def trained() -> tuple[HashedLinear, tuple]:
    frame, p, weight = clicks(20_000, 1)
    label = (np.random.default_rng(2).random(len(p)) < p).astype(float)
    model = HashedLinear(NUMERIC, CATEGORICAL, 1 << 12)
    return model.fit(frame, label, weight), (frame, label, weight)


@pytest.fixture(scope="module", autouse=True)
def _few_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(descent, "STEPS", 400_000)
        yield


def test_it_is_as_good_as_logistic_regression_in_memory(trained: tuple) -> None:
    """With weights from 1 to 31; within 1 % of the loss, and the rate is right."""
    model, (frame, label, weight) = trained
    judged, p, _ = clicks(20_000, 3)

    def dense(rows: pd.DataFrame) -> np.ndarray:
        levels = pd.Categorical(rows["c"], [f"level {n}" for n in range(LEVELS)])
        gone = rows["x"].isna()
        numbers = np.stack([(rows["x"].fillna(100) - 100) / 7, gone], axis=1)
        return np.concatenate([numbers, pd.get_dummies(levels).to_numpy(float)], axis=1)

    exact = LogisticRegression(max_iter=500).fit(dense(frame), label, weight)
    one = np.ones(len(p))
    ours = loss.mean_log_loss(model.predict_proba(judged)[:, 1], p, one)
    theirs = loss.mean_log_loss(exact.predict_proba(dense(judged))[:, 1], p, one)
    assert ours < 1.01 * theirs
    assert model.predict_proba(judged)[:, 1].mean() == pytest.approx(p.mean(), rel=0.05)


def test_the_batches_do_not_matter_and_the_model_survives_its_file(
    trained: tuple, tmp_path: Path
) -> None:
    model, (frame, label, weight) = trained
    parts = [slice(0, 7), slice(7, 9000), slice(9000, None)]
    batches = ((frame.iloc[part], label[part], weight[part]) for part in parts)
    again = HashedLinear(NUMERIC, CATEGORICAL, 1 << 12).fit_batches(batches)
    content = model_file.dump(model)
    assert model_file.dump(again) == content
    (tmp_path / "model").write_bytes(content)
    loaded = model_file.load(tmp_path / "model")
    assert (loaded.predict_proba(frame) == model.predict_proba(frame)).all()


def test_a_category_never_seen_has_the_usual_level(trained: tuple) -> None:
    """Among the frequent levels of which none stands out, an unseen one does not either."""
    model, (frame, _, _) = trained
    row = frame.dropna().iloc[[0]]
    odds = [float(model.decision_function(row.assign(c=f"level {n}"))[0]) for n in range(LEVELS)]
    unseen = float(model.decision_function(row.assign(c="another"))[0])
    assert abs(unseen - np.mean(odds)) < 0.5 * np.std(odds)


def test_missing_and_enormous_values_are_predicted(trained: tuple) -> None:
    model, _ = trained
    odd = pd.DataFrame({"x": [np.nan, 1e99, -1e99], "z": [np.nan] * 3, "c": [None, "é", ""]})
    found = model.predict_proba(odd)[:, 1]
    assert ((found > 0) & (found < 1)).all()
    assert len(model.predict_proba(odd.iloc[:0])) == 0


def test_the_slope_of_unseen_rows_is_found_and_few_rows_say_nothing() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(-1, 2, 20_000)
    label = (rng.random(len(odds)) < 1 / (1 + np.exp(-(0.5 * odds + 1)))).astype(float)
    one = np.ones(len(odds))
    assert scaling.slope(lambda: [(odds, label, one)]) == pytest.approx(0.5, abs=0.05)
    assert scaling.slope(lambda: [(odds[:50], label[:50], one[:50])]) == 1.0
    b = scaling.offset(lambda: [(odds, label, one)])
    assert (1 / (1 + np.exp(-(odds + b)))).mean() == pytest.approx(label.mean(), abs=1e-6)


def test_it_takes_the_loops_columns(ads: LearningLoop) -> None:
    model = hashed_linear(ads)
    assert model.numeric == ads.spec.features.names("numeric")
    assert model.categorical == ads.spec.features.names("categorical")
