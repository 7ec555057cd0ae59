"""Transformers, left out: the tokenizers that Alibi Detect 0.11.4 would save and load.

No part of Transformers. Source of the names: alibi_detect/saving/saving.py and loading.py.
"""

from __future__ import annotations

from typing import NoReturn

MESSAGE = (
    "{name} needs transformers, which this environment leaves out: install the stock "
    "dependencies, as sidecar/README.md says, for detectors of text"
)


class PreTrainedTokenizerBase:
    """What Alibi Detect asks whether a part of a detector is; here none is."""

    def __init__(self, *values: object, **named: object) -> None:
        raise ImportError(MESSAGE.format(name=type(self).__name__), name="transformers")


class AutoTokenizer:
    """What loads a detector's tokenizer; here it raises ImportError."""

    @classmethod
    def from_pretrained(cls, *values: object, **named: object) -> NoReturn:
        """Raise ImportError."""
        raise ImportError(MESSAGE.format(name=cls.__name__), name="transformers")
