"""What is watched of texts: the same in training and serving, and honest about unknown words."""

from __future__ import annotations

import json

import numpy as np
import pytest

from driftloop_contracts import text
from driftloop_contracts.errors import BundleRefused
from driftloop_contracts.text import UNKNOWN, Vocabulary

PLACE = list(text.KINDS).index(UNKNOWN)


def texts(rng: np.random.Generator, size: int) -> list[str]:
    """Texts whose words are as rare as words are: many come once."""
    words = np.minimum(rng.zipf(1.6, (size, 12)), 50_000)
    return [" ".join(f"w{chr(97 + n % 26)}{_letters(n)}" for n in row) for row in words]


def _letters(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in str(number))


def unknown(found: list[str], vocabulary: Vocabulary) -> float:
    """Share of texts with a tenth or more of unknown words."""
    steps = [text.derived(one, vocabulary)[PLACE] for one in found]
    return float(np.mean([step not in ("to 0%", "to 5%") for step in steps]))


def test_texts_of_the_training_look_as_unknown_as_new_ones() -> None:
    rng = np.random.default_rng(3)
    old, new = texts(rng, 3000), texts(rng, 3000)
    serving, own = text.vocabularies(old)
    seen, fresh = unknown(old, own), unknown(new, serving)
    assert unknown(old, serving) == 0.0, "their own words would all be known"
    assert 0.1 < fresh < 0.9
    assert abs(seen - fresh) < 4 * np.sqrt(2 * 0.25 / 3000)


def test_words_that_nobody_wrote_before_are_unknown() -> None:
    serving, _ = text.vocabularies(["the printer is broken", "my invoice is late"])
    assert text.derived("The printer, my invoice", serving)[PLACE] == "to 0%"
    assert text.derived("visa relocation printer", serving)[PLACE] == "to 100%"


def test_a_topic_is_that_of_the_words_whatever_their_order() -> None:
    many = [f"please {word} please" for word in ["toner", "paper", "salary", "badge", "visa"]] * 3
    serving, _ = text.vocabularies(many)
    topics = {one.split()[1]: text.derived(one, serving)[-1] for one in many}
    assert len(set(topics.values())) > 3
    assert text.derived("TONER: please!", serving)[-1] == topics["toner"]
    assert text.derived("please", serving)[-1] == text.NONE, "what all texts say is no topic"


@pytest.mark.parametrize(
    ("written", "guess"),
    [
        ("My printer is not working, can you help with that?", "en"),
        ("Mein Drucker geht nicht, bitte schicken Sie mir einen neuen", "de"),
        ("Mon imprimante ne marche pas, je voudrais une nouvelle", "fr"),
        ("Принтер не работает", "cyrillic"),
        ("プリンター", "katakana"),
        ("xyzzy", "latin"),
        ("12:30 !!", "none"),
        ("", "none"),
    ],
)
def test_the_language_is_guessed(written: str, guess: str) -> None:
    assert text.derived(written, text.NOTHING)[3] == guess


def test_a_missing_text_misses_everything_and_a_long_one_is_cut() -> None:
    assert text.derived(None, text.NOTHING) == (None,) * len(text.KINDS)
    assert text.derived(float("nan"), text.NOTHING) == (None,) * len(text.KINDS)
    assert text.bounded(None) == ""
    assert text.derived("a" * (text.MOST + 5), text.NOTHING)[0] == text.MOST
    assert text.derived("\ud800 lone halves", text.NOTHING)[1] == 2


def test_vocabularies_survive_their_file() -> None:
    serving, _ = text.vocabularies(["one text", "another text"])
    content = text.to_json({"message": serving})
    assert text.from_json(content) == {"message": serving}
    assert b"another" not in content, "a bundle holds no word of a text"


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"a": {}}', b'{"a": {"known": "x", "content": ""}}', b"\xff"]
)
def test_a_file_that_holds_none_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused, match="vocabularies cannot be read"):
        text.from_json(content)


def test_a_set_of_another_size_is_refused() -> None:
    short = {"m": Vocabulary(b"\0" * 8, b"\0" * 8).to_data()}
    with pytest.raises(BundleRefused, match="262144 bits"):
        text.from_json(json.dumps(short).encode())
