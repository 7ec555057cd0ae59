"""Word vectors of a local model: words that no training had are understood; files are hostile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from driftloop.bundle import model_file
from driftloop.training import embedding
from driftloop.training.text import HashedText
from driftloop_contracts.errors import InvalidInput

KNOWN = {"it": ("laptop", "network", "password"), "hr": ("leave", "salary", "contract")}
UNSAID = {"it": ("notebook", "wifi", "login"), "hr": ("vacation", "wages", "agreement")}
"""Words of the same meaning, which only the vectors know."""


def texts(of: dict[str, tuple[str, ...]], rows: int) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    labels = rng.choice(list(of), rows)
    said = [f"hello my {of[label][rng.integers(3)]} again" for label in labels]
    return pd.DataFrame({"message": said}), labels


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    """Return a file in which words of one meaning lie together."""
    rng, lines = np.random.default_rng(1), ["0 8"]
    for number, name in enumerate(KNOWN):
        middle = np.eye(8)[number]
        for word in (*KNOWN[name], *UNSAID[name]):
            numbers = middle + 0.1 * rng.normal(size=8)
            lines.append(f"{word.title()} " + " ".join(f"{one:.4f}" for one in numbers))
    path = tmp_path / "words.vec"
    path.write_text("\n".join(lines))
    return path


def fitted(vectors: str) -> HashedText:
    inputs, labels = texts(KNOWN, 400)
    return HashedText(("message",), places=1 << 12, vectors=vectors).fit(inputs, labels)


def test_words_of_one_meaning_are_taken_for_each_other(vectors: Path) -> None:
    inputs, labels = texts(UNSAID, 200)
    with_them, without = fitted(str(vectors)), fitted("")
    right = [(model.predict(inputs) == labels).mean() for model in (with_them, without)]
    assert right[0] == 1.0
    assert right[1] < 0.8


def test_a_bundle_needs_no_file_and_names_none(vectors: Path, tmp_path: Path) -> None:
    model, (inputs, _) = fitted(str(vectors)), texts(UNSAID, 20)
    path = tmp_path / "model.skops"
    path.write_bytes(model_file.dump(model))
    vectors.unlink()
    found = model_file.load(path)
    assert np.array_equal(found.predict_proba(inputs), model.predict_proba(inputs))
    assert (found.vectors, b"words.vec" in path.read_bytes()) == ("", False)
    assert b"notebook" not in path.read_bytes()


def test_rows_asked_together_are_answered_as_if_asked_alone(vectors: Path) -> None:
    model, (inputs, _) = fitted(str(vectors)), texts(UNSAID, 20)
    inputs.loc[3, "message"] = None
    together = model.predict_proba(inputs)
    alone = [model.predict_proba(inputs.iloc[[row]])[0] for row in range(len(inputs))]
    assert np.array_equal(together, np.stack(alone))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("laptop 1 2\nleave 1", "line 2 .* a word and 2 to 1024 numbers"),
        ("laptop 1 2\nleave 1 2 3", "vector 2 must be 2 of them"),
        ("laptop 1 x", "vector 1 must be finite ones"),
        ("laptop 1 1e300", "vector 1 must be finite ones"),
        ("laptop nan 1", "vector 1 must be finite ones"),
        ("nothing 1 2", "must be vectors of words that the texts have"),
        ("", "must be vectors of words that the texts have"),
    ],
)
def test_a_file_of_another_form_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "words.vec"
    path.write_text(content)
    with pytest.raises(InvalidInput, match=said):
        embedding.read(path, ["laptop", "leave"])


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="a file that can be read"):
        embedding.read(tmp_path / "none.vec", ["laptop"])
