"""Real SMS: rules that vote on spam, and errors put into labels that people gave."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from driftloop.labels import errors, functions, label_model, out_of_fold
from driftloop.labels.functions import LabellingFunction

ROOT = Path(__file__).parents[3]
CLASSES = ("ham", "spam")


@pytest.fixture(scope="module")
def messages() -> pd.DataFrame:
    folder = Path(os.environ.get("DRIFTLOOP_SHARED_DATA", ROOT.parent / "shared" / "data"))
    path = folder / "sms_spam" / "spam.csv"
    if not path.is_file():
        pytest.skip(f"The real data {path} are absent.")
    return pd.read_csv(path)


def says(name: str, pattern: str, label: str) -> LabellingFunction:
    return LabellingFunction(
        name, lambda rows: np.where(rows["Message"].str.contains(pattern, case=False), label, None)
    )


RULES = [
    says("prize", r"\b(?:prize|winner|won|award|claim)\b", "spam"),
    says("free", r"\bfree\b", "spam"),
    says("phone", r"\b0\d{9,10}\b", "spam"),
    says("short code", r"\b\d{5}\b", "spam"),
    says("money", r"£\d", "spam"),
    says("stop", r"\b(?:stop|unsubscribe|txt)\b", "spam"),
    says("personal", r"\b(?:i'm|ur|lol|ok|love|home|sorry|later)\b", "ham"),
    says("brief", r"^.{0,49}$", "ham"),
    says("question", r"\?$", "ham"),
]


def test_the_label_model_finds_spam_without_a_label(messages: pd.DataFrame) -> None:
    truth = (messages["Category"] == "spam").to_numpy("int64")
    votes = functions.cast(RULES, messages, CLASSES)
    found, usual = label_model.fit(votes), votes.majority()
    right = (found.labels == truth).mean()
    assert right > 0.96
    assert right > (np.maximum(usual, 0) == truth).mean()
    assert abs(found.prior[1] - truth.mean()) < 0.02


@pytest.fixture(scope="module")
def vectors(messages: pd.DataFrame) -> Any:
    return TfidfVectorizer(min_df=3, sublinear_tf=True).fit_transform(messages["Message"])


def searched(vectors: Any, labels: Any, seed: int) -> errors.LabelErrors:
    def fit_and_predict(train: Any, test: Any) -> Any:
        model = LogisticRegression(solver="liblinear").fit(vectors[train], labels[train])
        return model.predict_proba(vectors[test])

    with threadpool_limits(1):
        p = out_of_fold.probabilities(fit_and_predict, labels, np.random.default_rng(seed))
    return errors.find(labels, p, CLASSES, decidable=True)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2])
def test_finds_errors_that_were_put_in(messages: pd.DataFrame, vectors: Any, rate: float) -> None:
    truth = (messages["Category"] == "spam").to_numpy("int64")
    precision, recall, top, bounds = [], [], [], []
    for seed in range(3):
        wrong = np.random.default_rng(seed).random(len(truth)) < rate
        found = searched(vectors, np.where(wrong, 1 - truth, truth), seed)
        precision.append(wrong[found.flagged].mean())
        recall.append(wrong[found.flagged].sum() / wrong.sum())
        top.append((wrong[found.order[:100]].mean(), found.expected(100).estimate))
        bounds.append((found.rate.low - wrong.mean(), found.rate.high - wrong.mean()))
    assert np.mean(precision) > 0.75
    assert np.mean(recall) > 0.6
    came, said = np.mean(top, axis=0)
    assert came > 0.9
    assert abs(came - said) < 0.1
    low, high = np.mean(bounds, axis=0)
    assert low < 0 < high


def test_peoples_own_labels_are_hardly_called_wrong(messages: pd.DataFrame, vectors: Any) -> None:
    found = searched(vectors, (messages["Category"] == "spam").to_numpy("int64"), 0)
    assert found.rate.low <= 0.01
    assert found.rate.estimate <= 0.02
