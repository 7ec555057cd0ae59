"""Text: a linear model of hashed words and pieces of words, calibrated, for one row as for many.

Words, pairs of words and pieces of 5 letters of every text column become places in one table by
their hash (Weinberger et al., 2009), the rarer the heavier, beside the values of categorical
columns and numbers that are standardised; on these a multinomial logistic regression. Its penalty,
and one temperature that sets how sure it is (Guo et al., 2017), are those by which blocks of time
that it did not see are foretold best. Nothing is learnt of a word but its weights, so no word of a
text lies in a bundle. A local model's word vectors may stand beside them (embedding.py).
"""

from __future__ import annotations

import math
import re
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, sparse
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from driftloop.loop import LearningLoop
from driftloop.training import embedding
from driftloop.training.embedding import Vectors

READ = 4_000
"""Characters of a text that the model reads: more say little more, and each costs time."""
PIECE, LONGEST = 5, 40
"""Letters of a word's pieces, and letters of a word that are looked at."""
FOLDS = 3
WARMEST = 10.0
TOLERANCE = 3e-3
"""Of the gradient: four digits of a probability more would take three times as long."""
_WORD = re.compile(r"[^\W_]+")
_DIGITS = re.compile(r"\d")

Floats = np.ndarray[Any, np.dtype[np.float64]]


def hashed_text(loop: LearningLoop) -> HashedText:
    """Return the unfitted estimator for a loop's text, categorical and numeric columns."""
    names = loop.spec.features.names
    return HashedText(tuple(names("text")), tuple(names("categorical")), tuple(names("numeric")))


def embedded_text(loop: LearningLoop, vectors: Path) -> HashedText:
    """Return the same with the word vectors in a file, which only trainings need."""
    found = hashed_text(loop)
    found.vectors = str(vectors)
    return found


class HashedText(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # sklearn ships no types
    """Logistic regression on hashed texts; after ``fit``: ``classes_``, ``weights_`` and more.

    ``places``: of the table, a power of 2; ``strengths``: inverse ridge penalties, of which the one
    that foretells other blocks of time best is taken; ``vectors``: a file of word vectors, '' for
    none.
    """

    words_ = embedding.NOTHING.words
    embedding_ = embedding.NOTHING.numbers

    def __init__(
        self,
        texts: tuple[str, ...] = (),
        categories: tuple[str, ...] = (),
        numbers: tuple[str, ...] = (),
        places: int = 1 << 15,
        strengths: tuple[float, ...] = (1.0, 6.0),
        vectors: str = "",
    ) -> None:
        self.texts, self.categories, self.numbers = texts, categories, numbers
        self.places, self.strengths, self.vectors = places, strengths, vectors

    def __getstate__(self) -> dict[str, Any]:
        """Return what a bundle holds: where a file lay on some machine is nobody's business."""
        found: dict[str, Any] = {**super().__getstate__(), "vectors": ""}
        return found

    def fit(self, inputs: pd.DataFrame, labels: Any, sample_weight: Any = None) -> HashedText:
        """Learn from rows in order of time; ``sample_weight``: of each."""
        numbers = _numbers(inputs, self.numbers)
        weight = np.ones(len(inputs)) if sample_weight is None else np.asarray(sample_weight)
        self.center_, self.scale_ = _standard(numbers)
        if self.vectors:
            words = {word for name in self.texts for text in inputs[name] for word in _words(text)}
            self.words_, self.embedding_ = embedding.read(Path(self.vectors), words)
        self.rarity_ = np.ones(self.places)
        self.rarity_ = _rarity(self._table(inputs)[1], self.places, len(inputs))
        table = self._sparse(inputs)
        self.classes_, codes = np.unique(np.asarray(labels), return_inverse=True)
        tried = [(*self._tried(table, codes, weight, one), one) for one in self.strengths]
        _, self.temperature_, best = min(tried)
        self.weights_, self.offsets_ = self._fitted(table, codes, weight, best)
        return self

    def predict_proba(self, inputs: pd.DataFrame) -> Floats:
        """Return each class's probability, [rows, classes] in the order of ``classes_``."""
        found: Floats = softmax(self._scores(inputs) / self.temperature_, axis=1)
        return found

    def predict(self, inputs: pd.DataFrame) -> Any:
        """Return each row's likeliest class."""
        return self.classes_[self.predict_proba(inputs).argmax(axis=1)]

    def _fitted(
        self, table: Any, codes: Any, weight: Floats, strength: float
    ) -> tuple[Floats, Floats]:
        """Return weights [places, classes] and offsets [classes]; a class without rows is 0."""
        count = len(self.classes_)
        weights, offsets = np.zeros((table.shape[1], count)), np.full(count, -math.inf)
        present = np.unique(codes)
        if len(present) == 1:
            offsets[present] = 0.0
            return weights, np.maximum(offsets, -30.0)
        model = LogisticRegression(C=strength, tol=TOLERANCE, max_iter=50, solver="newton-cg")
        model.fit(table, codes, sample_weight=weight)
        if len(present) == 2:  # One row of weights says both.
            weights[:, present[1]], offsets[present[0]] = model.coef_[0], 0.0
            offsets[present[1]] = model.intercept_[0]
        else:
            weights[:, present], offsets[present] = model.coef_.T, model.intercept_
        return weights, np.maximum(offsets, offsets[present].min() - 30.0)

    def _tried(
        self, table: Any, codes: Any, weight: Floats, strength: float
    ) -> tuple[float, float]:
        """Return the least loss on unseen blocks, and by what scores are divided then."""
        if len(codes) < 2 * FOLDS:
            return 0.0, 1.0
        scores = np.empty((len(codes), len(self.classes_)))
        for seen, unseen in KFold(FOLDS).split(codes):
            weights, offsets = self._fitted(table[seen], codes[seen], weight[seen], strength)
            scores[unseen] = table[unseen] @ weights + offsets

        def lost(log_temperature: float) -> float:
            foretold = log_softmax(scores / math.exp(log_temperature), axis=1)
            return float(-(weight * foretold[np.arange(len(codes)), codes]).sum())

        bounds = (-math.log(WARMEST), math.log(WARMEST))
        found = optimize.minimize_scalar(lost, bounds=bounds, method="bounded")
        return float(found.fun), math.exp(found.x)

    def _table(self, inputs: pd.DataFrame) -> tuple[Floats, Any, Any]:
        """Return values, places and where each row ends: hashed places, then numbers."""
        columns = [inputs[name].tolist() for name in (*self.texts, *self.categories)]
        data: list[float] = []
        places: list[int] = []
        ends = [0]
        numbers = self._standardised(inputs)
        if self.embedding_.size:
            numbers = np.concatenate([numbers, *self._embedded(inputs)], axis=1)
        own = range(self.places, self.places + numbers.shape[1])
        for row, values in enumerate(zip(*columns, strict=True) if columns else [()] * len(inputs)):
            for seed, text in enumerate(values[: len(self.texts)]):
                found = _places(text, seed, self.places - 1)
                places += found
                rarity = self.rarity_[found]
                # Long and short texts weigh alike.
                data += (rarity / max(1e-9, math.sqrt(rarity @ rarity))).tolist()
            for name, value in zip(self.categories, values[len(self.texts) :], strict=True):
                places.append(_hash(f"{name}={value}", 0) & (self.places - 1))
                data.append(0.5)
            if own:
                places += own
                data += numbers[row].tolist()
            ends.append(len(places))
        return np.array(data), np.array(places, "int64"), np.array(ends)

    def _sparse(self, inputs: pd.DataFrame) -> Any:
        data, places, ends = self._table(inputs)
        width = self.places + 2 * len(self.numbers) + len(self.texts) * self.embedding_.shape[1]
        return sparse.csr_matrix((data, places, ends), shape=(len(ends) - 1, width))

    def _scores(self, inputs: pd.DataFrame) -> Floats:
        """Return each class's score, to the last bit the same whatever rows are asked together."""
        data, places, ends = self._table(inputs)
        parts = self.weights_[places] * data[:, None]
        scores = np.zeros((len(inputs), len(self.classes_)))
        held = np.flatnonzero(np.diff(ends))
        if len(held):
            scores[held] = np.add.reduceat(parts, ends[held], axis=0)
        return scores + self.offsets_

    def _embedded(self, inputs: pd.DataFrame) -> list[Floats]:
        """Return each text column's vectors, [rows, size]."""
        known = Vectors(self.words_, self.embedding_)
        return [
            np.stack([embedding.mean(_words(text), known) for text in inputs[name]])
            for name in self.texts
        ]

    def _standardised(self, inputs: pd.DataFrame) -> Floats:
        """Return numbers about 0, and whether each is missing, [rows, 2 numbers]."""
        if not self.numbers:
            return np.zeros((len(inputs), 0))
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (_numbers(inputs, self.numbers) - self.center_) / self.scale_
        missing = np.isnan(scaled)
        bounded = np.minimum(np.maximum(scaled, -5.0), 5.0)
        return np.concatenate([np.where(missing, 0.0, bounded), missing], axis=1) * 0.5


def _numbers(inputs: pd.DataFrame, names: tuple[str, ...]) -> Floats:
    columns = [inputs[name].to_numpy("float64") for name in names]
    return np.stack(columns, axis=1) if columns else np.zeros((len(inputs), 0))


def _places(text: object, seed: int, last: int) -> list[int]:
    """Return the places of a text's words, pairs of words and pieces of words, each once."""
    words = _words(text)
    found = {place for word in words for place in _of_word(word, seed, last)}
    pairs = zip(words, words[1:], strict=False)
    found.update([_hash(f"{first} {second}", seed) & last for first, second in pairs])
    return sorted(found)


def _words(text: object) -> list[str]:
    """Return what is read of a text, in order; digits are all alike."""
    if not isinstance(text, str) or not text:
        return []
    return _WORD.findall(_DIGITS.sub("0", text[:READ].lower()))


@lru_cache(maxsize=1 << 15)
def _of_word(word: str, seed: int, last: int) -> tuple[int, ...]:
    """Return the places of a word and its pieces; the commonest words are most of a text."""
    return tuple({_hash(piece, seed) & last for piece in (word, *pieces(word))})


def pieces(word: str) -> list[str]:
    """Return a word's pieces of 5 letters, its bounds marked; what is shorter is one.

    >>> pieces("toner"), pieces("no")
    (['#tone', 'toner', 'oner#'], ['#no#'])
    """
    marked = f"#{word[:LONGEST]}#"
    return [marked[start : start + PIECE] for start in range(max(1, len(marked) - PIECE + 1))]


def _hash(piece: str, seed: int) -> int:
    return zlib.crc32(piece.encode("utf-8", "replace"), seed)


def _rarity(places: Any, size: int, rows: int) -> Floats:
    """Return by how much a place says more where few of the rows have it (inverse frequency)."""
    counts = np.bincount(places[places < size], minlength=size)
    found: Floats = np.log((1 + rows) / (1 + np.minimum(counts, rows))) + 1
    return found


def _standard(numbers: Floats) -> tuple[Floats, Floats]:
    """Return each column's middle and spread, by quantiles: no outlier moves them."""
    if not numbers.size:
        return np.zeros(numbers.shape[1]), np.ones(numbers.shape[1])
    some = np.where(np.isfinite(numbers).any(axis=0), numbers, 0.0)
    low, middle, high = np.nanquantile(some, [0.1, 0.5, 0.9], axis=0)
    spread = (high - low) / 2.56
    return middle, np.where(spread > 0, spread, 1.0)
