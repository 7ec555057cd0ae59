"""Embedding: what words mean to a local model, as one vector a text; nothing is downloaded.

The model is a file of word vectors in the text form of word2vec, GloVe and fastText: a word and its
numbers a line, and perhaps a first line of two counts. A text is the mean of its words' vectors
(Wieting et al., 2016, ICLR), its length brought to 1. Kept are the words of the training's texts
and the file's first, by hash alone: no word lies in a bundle, and serving needs no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from driftloop_contracts.errors import InvalidInput

Floats = np.ndarray[Any, np.dtype[np.float64]]

FIRST = 20_000
"""Words of the first lines that are kept, the commonest ones as these files are written: what the
training's texts do not say may be asked about."""
MOST_WORDS, MOST_NUMBERS = 50_000, 1_024
"""Words whose vectors are kept, and numbers of a vector: bundles hold them."""
LARGEST = 1e30
SHORTEST = 3
"""Fields of a line that can be a word and its vector."""


class Vectors(NamedTuple):
    """``words``: hashes, ascending; ``numbers``: [words, size], float32."""

    words: Any
    numbers: Any


NOTHING = Vectors(np.zeros(0, "int64"), np.zeros((0, 0), "float32"))


def read(path: Path, words: Iterable[str]) -> Vectors:
    """Return the vectors of ``words`` and of the first; raise InvalidInput for a file without form.

    Words are compared in lower case.
    """
    wanted, found = {_hash(word) for word in words}, dict[int, list[float]]()
    size = 0
    for number, (word, values) in enumerate(_lines(path), 1):
        size = size or len(values)
        if len(values) != size:
            where, allowed = f"{path.name}, vector {number}", f"{size} of them, as in the first"
            raise InvalidInput("the numbers", where, allowed, len(values))
        key = _hash(word.lower())
        if (number <= FIRST or key in wanted) and key not in found and len(found) < MOST_WORDS:
            found[key] = _numbers(values, path, number)
    if not wanted & found.keys():
        allowed = "vectors of words that the texts have"
        raise InvalidInput("the word vectors", path.name, allowed, "none of them")
    keys = sorted(found)
    return Vectors(np.array(keys, "int64"), np.array([found[k] for k in keys], "float32"))


def mean(words: list[str], known: Vectors) -> Floats:
    """Return the text's vector of length 1; zeros where none of its words is known.

    >>> two = Vectors(np.array(sorted(map(_hash, ["toner", "leave"]))), np.eye(2, dtype="float32"))
    >>> float(np.linalg.norm(mean(["toner", "toner", "other"], two)))
    1.0
    >>> mean(["other"], two).tolist()
    [0.0, 0.0]
    """
    keys = np.fromiter((_hash(word) for word in words), "int64", len(words))
    places = np.searchsorted(known.words, keys)
    inside = places < len(known.words)
    places, keys = places[inside], keys[inside]
    total: Floats = known.numbers[places[known.words[places] == keys]].sum(axis=0, dtype="float64")
    length = float(np.linalg.norm(total))
    return total / length if length > 0 else total


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each word with its numbers' texts; the first line may be two counts."""
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines):
                fields = line.split()
                if number == 0 and len(fields) == SHORTEST - 1:
                    continue
                if not SHORTEST <= len(fields) <= MOST_NUMBERS + 1:
                    allowed = f"a word and 2 to {MOST_NUMBERS} numbers"
                    where = f"{path.name}, line {number + 1}"
                    raise InvalidInput("the line", where, allowed, line[:80].strip())
                yield fields[0], fields[1:]
    except OSError as error:
        raise InvalidInput(
            "the word vectors", str(path), "a file that can be read", error
        ) from None


def _numbers(values: list[str], path: Path, number: int) -> list[float]:
    try:
        found = [float(value) for value in values]
    except ValueError:
        found = [float("nan")]
    if not np.isfinite(found).all() or max(map(abs, found)) > LARGEST:
        where = f"{path.name}, vector {number}"
        raise InvalidInput("the numbers", where, "finite ones", " ".join(values)[:80])
    return found


@lru_cache(maxsize=1 << 15)
def _hash(word: str) -> int:
    """Return 63 bits of a word; two of 50,000 words have the same once in billions of files."""
    content = word.encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") >> 1
