"""Wording: what a request says, topic by topic, and how it is brought into one form."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Texts = NDArray[np.object_]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TOPICS: Mapping[str, tuple[str, Sequence[str]]] = {
    "invoice": ("accounting", _words("invoice billing statement due overdue reminder copy vat")),
    "payment": ("accounting", _words("payment transfer bank card charged twice receipt amount")),
    "refund": ("accounting", _words("refund credit reimbursed fee overcharged return balance")),
    "leave": ("hr", _words("leave holiday vacation sick parental days absence approve")),
    "contract": ("hr", _words("contract hiring candidate probation resignation reference letter")),
    "salary": ("hr", _words("salary payslip bonus pension payroll raise deduction")),
    "order": ("inventory", _words("order item quantity stock backorder supplier catalogue cancel")),
    "delivery": ("inventory", _words("delivery parcel courier shipping tracking late arrived")),
    "warehouse": ("inventory", _words("warehouse pallet shelf count damaged replacement spare")),
    "access": ("it", _words("password login account locked access permission reset")),
    "device": ("it", _words("laptop screen keyboard printer docking battery broken")),
    "network": ("it", _words("network vpn wifi connection slow mailbox outlook server")),
    "travel": ("hr", _words("flight hotel visa itinerary train trip passport airport")),
}
"""The department that a topic belongs to, and its own words; ``NEW`` is not asked for at first."""
NEW = "travel"
RENAMED = dict(
    zip(
        _words("password login account locked access laptop screen keyboard vpn network mailbox"),
        _words("passkey portal identity blocked role thinbook panel keypad tunnel mesh inbox"),
        strict=True,
    )
)
"""What words of IT are replaced by once its new tools are there."""
COMMON = _words(
    "please help need about with my the our team still since monday question again urgent can you "
    "check issue request soon thanks colleague office new update information customer"
)
BORROWED = 0.25
"""Share of the requests that mention a word of another topic."""
KNOWN = tuple(name for name in TOPICS if name != NEW)
STOP_WORDS = frozenset(
    _words(
        "a about above after again against all am an and any are as at be because been before "
        "being below between both but by can cannot could did do does doing down during each "
        "few for from further had has have having he her here hers him his how i if in into is "
        "it its itself just me more most my no nor not now of off on once only or other our out "
        "over own please same she should so some such than that the their them then there these "
        "they this those through to too under until up very was we were what when where which "
        "while who whom why will with would you your yours m re s t ve ll d"
    )
)
_WORD = re.compile(r"[a-z]+")


def normalised(text: str) -> str:
    """Return a text in lower case without punctuation, digits and stop words.

    Where texts of two sources come together their style must not tell which is which.

    >>> normalised("Hi, can you RESET my password #42?")
    'hi reset password'
    """
    return " ".join(word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS)


def written(
    topics: Sequence[str],
    renamed: NDArray[np.bool_],
    rng: np.random.Generator,
    borrowed: float = BORROWED,
) -> Texts:
    """Return a message for each topic; ``renamed``: whether IT's new words are used in it.

    ``borrowed``: share of the messages that mention a word of another topic.
    """
    found = np.empty(len(topics), dtype=object)
    for place, topic in enumerate(topics):
        words = [*rng.choice(TOPICS[topic][1], int(rng.integers(1, 4)), replace=False)]
        if rng.random() < borrowed:
            words.append(rng.choice(TOPICS[str(rng.choice(KNOWN))][1]))
        words += [*rng.choice(COMMON, int(rng.integers(3, 10)))]
        if renamed[place]:
            words = [RENAMED.get(word, word) for word in words]
        found[place] = " ".join(rng.permutation(words))
    return found
