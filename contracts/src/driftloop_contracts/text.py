"""Text: what is watched of a text somebody wrote, the same in training and in serving.

A text has no distribution that a window could be compared with; these columns of it have:

    <name>_length    characters                       numeric
    <name>_words     words                            numeric
    <name>_unknown   share of words that no training text had    categorical, in steps
    <name>_language  by its commonest words, else by its script  categorical
    <name>_topic     one of 32 buckets: that of one of its content words  categorical

Words are known by their hash alone, so a vocabulary is a bitset of fixed size that holds no word.
The topic is the bucket of the content word with the smallest hash: as good as drawn at random from
the text's set of words, and the same whenever the text is (Broder, 1997, min-wise hashing).
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from driftloop_contracts.errors import BundleRefused

MOST = 20_000
"""Characters of a text that are read; what follows is cut off, in training as in serving."""
SIZE = 1 << 18
"""Bits of a set of words: with 20,000 words, 7 % of unknown ones count as known."""
TOPICS = 32
COMMON = 0.2
"""Share of texts from which on a word says nothing of what a text is about."""
LOOKED_AT = 200
"""Words that tell the language, and letters that tell the script."""
LENGTH, WORDS, UNKNOWN, LANGUAGE, TOPIC = "length", "words", "unknown", "language", "topic"
KINDS = {
    LENGTH: "numeric",
    WORDS: "numeric",
    UNKNOWN: "categorical",
    LANGUAGE: "categorical",
    TOPIC: "categorical",
}
"""What is derived of a text, in order, and each one's kind."""
NONE = "none"
STEPS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0)
"""Of the share of unknown words; steps, because it is nearly always 0 where few words are used."""
COMMONEST = {
    "de": "der die und das ist nicht ich ein zu mit sie es den auf für wir bitte kann eine im",
    "en": "the and is to of in that you it for on with not my have this please can a are",
    "es": "el la de que y en los se no un por con una para mi es las del al favor",
    "fr": "le la les et est de des un une je pas pour dans que vous mon ne sur il du",
    "it": "il di che la non un per e una sono mi del con ho si della le per questo alla",
    "nl": "de het een en van is niet ik dat op te zijn voor met mijn er kan we aan die",
    "pl": "nie to na jest w z do się proszę mam jak mnie czy przez od dla po ale jestem",
    "pt": "o de que e do da em um para com uma os no se por mais as meu eu foi",
    "sv": "och det att jag en inte som har med kan till min av ett om den vi var hur",
    "tr": "bir ve bu ne için mi da de çok benim ben var yok ile gibi ama daha olarak nasıl",
}
"""A language's commonest words, as ``words`` gives them."""
_WORD = re.compile(r"[^\W_]+")
_LANGUAGES: dict[str, tuple[str, ...]] = {}
for _language, _texts in COMMONEST.items():
    for _one in _texts.split():
        _LANGUAGES[_one] = (*_LANGUAGES.get(_one, ()), _language)


def names(column: str) -> list[str]:
    """Return what the columns derived of a text column are called.

    >>> names("message")[:2]
    ['message_length', 'message_words']
    """
    return [f"{column}_{what}" for what in KINDS]


def bounded(value: object) -> str:
    """Return a text as models and records have it: '' for a missing one, cut at ``MOST``."""
    return value[:MOST] if isinstance(value, str) else ""


def words(text: str) -> list[str]:
    """Return a text's words, lower case and without digits: numbers are not vocabulary.

    >>> words("Invoice 4711: für Müller_GmbH!")
    ['invoice', 'für', 'müller', 'gmbh']
    """
    return [word for word in _WORD.findall(text.lower()) if not word.isdecimal()]


def place(word: str) -> int:
    """Return a word's place in every set of words."""
    return zlib.crc32(word.encode("utf-8", "replace")) % SIZE


@dataclass(frozen=True)
class Vocabulary:
    """Two sets of words by their ``place``: those of the training's texts, and content words."""

    known: bytes
    content: bytes

    def to_data(self) -> dict[str, str]:
        """Return the sets as JSON has them."""
        return {"known": _packed(self.known), "content": _packed(self.content)}


NOTHING = Vocabulary(bytes(SIZE // 8), bytes(SIZE // 8))
"""Of no text."""


def vocabularies(texts: Iterable[str]) -> tuple[Vocabulary, Vocabulary]:
    """Return the vocabulary of ``texts``, and the one by which these texts themselves are judged.

    To the second a word is known when a further text has it, so that a text of the training looks
    as unknown as a new one would: its own words do not count.
    """
    counts, total = Counter[int](), 0
    for text in texts:
        total += 1
        counts.update({place(word) for word in words(text)})
    most = COMMON * total
    content = _bits(at for at, count in counts.items() if 2 <= count <= most)
    known, others = _bits(counts), _bits(at for at, count in counts.items() if count > 1)
    return Vocabulary(known, content), Vocabulary(others, content)


def derived(value: object, vocabulary: Vocabulary) -> tuple[Any, ...]:
    """Return what KINDS names of a text, None of each where it is missing.

    >>> both = vocabularies(["my invoice", "my invoice", *"abcdefgh"])
    >>> derived("Is my invoice late?", both[0])
    (19, 4, 'to 50%', 'en', 't4')
    """
    if not isinstance(value, str):
        return (None,) * len(KINDS)
    text = bounded(value)
    found = words(text)
    places = [place(word) for word in found]
    known, content = vocabulary.known, vocabulary.content
    seen = sum([known[at >> 3] >> (at & 7) & 1 for at in places])
    smallest = min([at for at in places if content[at >> 3] >> (at & 7) & 1], default=None)
    # The smallest place lies near 0 in every text; its low bits still are as good as random.
    topic = NONE if smallest is None else f"t{smallest % TOPICS}"
    unknown = _step(1 - seen / len(places)) if places else NONE
    return len(text), len(found), unknown, language(text, found), topic


def _step(share: float) -> str:
    """Return the step of a share.

    >>> _step(0.0), _step(0.04), _step(0.9)
    ('to 0%', 'to 5%', 'to 100%')
    """
    return f"to {next(step for step in STEPS if share <= step + 1e-9):.0%}"


def language(text: str, found: list[str]) -> str:
    """Return the language whose commonest words a text has most of, else its letters' script.

    ``found``: its words. Of two languages alike the first by name; a guess, but the same one.
    """
    hits: dict[str, int] = {}
    for word in found[:LOOKED_AT]:
        for name in _LANGUAGES.get(word, ()):
            hits[name] = hits.get(name, 0) + 1
    if hits:
        return min(hits, key=lambda name: (-hits[name], name))
    return script(text)


def script(text: str) -> str:
    """Return the script of most of a text's first letters.

    >>> script("Счёт 12"), script("ab"), script("12")
    ('cyrillic', 'latin', 'none')
    """
    letters = [letter for letter in text[: 4 * LOOKED_AT] if letter.isalpha()][:LOOKED_AT]
    if not letters:
        return NONE
    if all(letter < "\u0250" for letter in letters):
        return "latin"
    scripts = Counter(unicodedata.name(letter, NONE).split()[0].lower() for letter in letters)
    return min(scripts, key=lambda name: (-scripts[name], name))


def to_json(vocabularies: Mapping[str, Vocabulary]) -> bytes:
    """Return each text column's vocabulary as a bundle stores them."""
    told = {name: one.to_data() for name, one in vocabularies.items()}
    return json.dumps(told, sort_keys=True, indent=1).encode()


def from_json(content: bytes) -> dict[str, Vocabulary]:
    """Return the vocabularies in ``content``; raise BundleRefused when they are none."""
    try:
        data: dict[str, dict[str, str]] = json.loads(content)
        found = {
            name: Vocabulary(_unpacked(one["known"]), _unpacked(one["content"]))
            for name, one in data.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error) as error:
        raise BundleRefused(f"The vocabularies cannot be read: {error}.") from error
    if any(len(part) != SIZE // 8 for one in found.values() for part in (one.known, one.content)):
        raise BundleRefused(f"The vocabularies cannot be read: they are not of {SIZE} bits.")
    return found


def _bits(places: Iterable[int]) -> bytes:
    found = bytearray(SIZE // 8)
    for at in places:
        found[at >> 3] |= 1 << (at & 7)
    return bytes(found)


def _packed(bits: bytes) -> str:
    return base64.b64encode(zlib.compress(bits, 9)).decode()


def _unpacked(text: str) -> bytes:
    # What a bundle says is verified, but memory stays bounded whatever it holds.
    return zlib.decompressobj().decompress(base64.b64decode(text, validate=True), SIZE // 8 + 1)
