"""Labels: the department that closed a request; and keywords that guess it without anybody."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from driftloop.labels.functions import LabellingFunction

KEYWORDS = {
    "accounting": (
        ("bills", "invoice|invoices|bill|bills|billing|receipt|statement|vat"),
        ("money", "payment|payments|pay|paying|refund|refunds|reimbursement|transfer|card|bank"),
        ("purchases", "purchase|po|order purchase|purchasing|budget|fee|charged|overcharged"),
    ),
    "hr": (
        ("time off", "leave|holiday|vacation|absence|sick|parental|days off|timesheet"),
        ("people", "hiring|candidate|recruitment|onboarding|starter|joiner|hr|employee|probation"),
        ("pay slips", "salary|payslip|payroll|bonus|pension|resignation|contract"),
    ),
    "inventory": (
        ("orders", "order|orders|item|items|quantity|stock|backorder|supplier|catalogue"),
        ("deliveries", "delivery|deliveries|parcel|courier|shipping|shipment|tracking|package"),
        ("storage", "warehouse|pallet|shelf|address|damaged|replacement|spare"),
    ),
    "it": (
        ("access", "password|passwords|login|log in|account|access|permission|permissions|locked"),
        ("devices", "laptop|screen|monitor|keyboard|mouse|printer|docking|cable|battery|headset"),
        ("network", "network|vpn|wifi|connection|server|outlook|mailbox|folder|drive|install"),
    ),
}
"""Rules of thumb of each department; their words are whole ones."""


def weighted_labels(
    rows: pd.DataFrame,
) -> tuple[NDArray[np.int64], NDArray[np.object_], NDArray[np.float64]]:
    """Return (position, department, weight) of every closed request."""
    weight = rows["weight"].to_numpy("float64")
    return np.arange(len(rows)), rows["category"].to_numpy(object), weight


def labelling_functions() -> list[LabellingFunction]:
    """Return the rules of thumb: each votes for its department or abstains."""
    return [
        LabellingFunction(name, _containing(words, department))
        for department, rules in KEYWORDS.items()
        for name, words in rules
    ]


def _containing(words: str, department: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Return a vote for ``department`` wherever a text has one of the words."""
    pattern = rf"\b(?:{words})\b"

    def vote(rows: pd.DataFrame) -> pd.Series:
        found = rows["message"].fillna("").str.contains(pattern, case=False, regex=True)
        return found.map({True: department})

    return vote
