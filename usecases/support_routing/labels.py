"""Labels: the department that closed a request; and keywords that guess it without anybody."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop.labels.functions import LabellingFunction

KEYWORDS = {
    "accounting": (
        "invoices?|bills?|billing|statement|vat|due|overdue",
        "payments?|pay|paying|refund\\w*|reimburse\\w*|compensations?|money|bank|charged",
        "purchased|po|purchasing|receipts?|fee|overcharged|credit|ordered",
    ),
    "hr": (
        "leave|holiday|vacation|absence|sick|maternity|parental|annual|time ?card",
        "starter|leaver|joiner|hiring|candidate|recruitment|onboarding|probation",
        "salary|payslip|payroll|bonus|pension|resignation|contract|oracle|officer",
    ),
    "inventory": (
        "(?:cancel|track|chang|modif|edit|plac|remov)\\w* (?:\\w+ ){0,2}(?:orders?|articles?)",
        "products?|quantity|stock|backorder|supplier|catalogue",
        "deliver\\w*|parcel|courier|shipping|shipments?|tracking|eta|arriv\\w*",
        "(?:shipping|delivery|secondary|new) address|warehouse|pallet|shelf|spare",
    ),
    "it": (
        "passwords?|login|log in|account|access|permissions?|locked|reset",
        "laptop|screen|monitor|keyboard|mouse|printer|docking|cable|battery|upgrade",
        "network|vpn|wifi|connect\\w*|server|outlook|mailbox|folder|working|install",
    ),
}
"""What people write to each department about: patterns of whole words."""


def weighted_labels(
    rows: pd.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.object_], NDArray[np.float64]]:
    """Return (position, department, weight) of every closed request."""
    weight = rows["weight"].to_numpy("float64")
    return np.arange(len(rows)), rows["category"].to_numpy(object), weight


def labelling_functions() -> list[LabellingFunction]:
    """Return a rule of thumb for each department: it votes for it or abstains.

    One rule each and no more: a short text is about one thing, so rules of the same department
    would exclude each other, which the label model takes for disagreement.
    """
    return [
        LabellingFunction(f"words of {department}", _containing("|".join(words), department))
        for department, words in KEYWORDS.items()
    ]


def _containing(words: str, department: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a vote for ``department`` wherever a text has one of the words."""
    pattern = rf"\b(?:{words})\b"

    def vote(rows: pd.DataFrame) -> pd.Series:
        found = rows["message"].fillna("").str.lower().str.contains(pattern)
        return found.map({True: department})

    return vote
