"""Data: simulated tickets, whose words tell their desk; after some days a new topic comes up."""

import numpy as np
import pandas as pd

from driftloop.traffic import Change, Traffic

FIRST_DAY = pd.Timestamp("2026-03-01", tz="UTC")
OPENINGS = ["please help", "hello", "we have a question", "urgent", "good morning"]
CLOSINGS = ["thank you", "best regards", "", "it is urgent", "please answer today"]
WORDS = {
    "hr": [
        "holiday",
        "leave",
        "contract",
        "payslip",
        "parental",
        "sick",
        "training",
        "manager",
        "salary",
        "vacation",
    ],
    "accounting": [
        "invoice",
        "payment",
        "refund",
        "tax",
        "receipt",
        "budget",
        "expense",
        "account",
        "bank",
        "credit",
    ],
    "it": [
        "laptop",
        "password",
        "printer",
        "network",
        "login",
        "screen",
        "keyboard",
        "software",
        "vpn",
        "update",
    ],
}
COMMON = [
    "my",
    "the",
    "is",
    "about",
    "again",
    "since",
    "monday",
    "office",
    "team",
    "colleague",
    "still",
    "new",
    "cannot",
    "need",
]
NEWS = ["onboarding", "badge", "relocation", "visa", "shuttle", "lounge"]
"""What nobody wrote before the change: it is all for hr."""


def source_name(span) -> str:
    """Return which of loop.yaml's sources ``span`` reads."""
    return "simulator"


def read(loop, span) -> Traffic:
    """Return the traffic of ``span``."""
    given = loop.spec.data.source("simulator").parameters
    days, size = given["days"], given["days"] * given["ticketsPerDay"]
    rng = np.random.default_rng(span.seed)
    offset = np.sort(rng.uniform(0, days, size))
    times = pd.DatetimeIndex(FIRST_DAY + pd.to_timedelta(offset, unit="D")).as_unit("us")
    requester = rng.integers(120, size=size)
    desks = np.array(sorted(WORDS), dtype=object)
    desk = desks[np.where(rng.random(size) < 0.5, requester % 3, rng.integers(3, size=size))]
    is_news = (offset >= given["newsAfter"]) & (rng.random(size) < 0.5)
    desk = np.where(is_news, "hr", desk)
    words = [NEWS if news else WORDS[one] for one, news in zip(desk, is_news, strict=True)]
    messages = np.array([_message(own, rng) for own in words], dtype=object)
    messages[rng.random(size) < 0.01] = None
    requests = pd.DataFrame(
        {
            "row_id": [f"ticket-{number}" for number in range(size)],
            "event_time": times,
            "requester_id": requester,
            "message": messages,
            "channel": rng.choice(["mail", "portal"], size).astype(object),
            "weight": 1.0,
        }
    )
    wrong = rng.random(size) < 0.05  # Some tickets are handled by a desk that nobody would guess.
    handled = np.where(wrong, desks[rng.integers(3, size=size)], desk)
    outcomes = pd.DataFrame(
        {
            "row_id": requests["row_id"],
            "event_time": times,
            "positives": 1.0,
            "category": handled.astype(object),
            "known_time": times + pd.Timedelta(hours=6),
            "revision": 0,
        }
    )
    start = (FIRST_DAY + pd.Timedelta(days=given["newsAfter"])).to_pydatetime()
    changes = (Change("news", "drift", start, None),)
    return Traffic(requests, outcomes, requests.iloc[:0].assign(reason=""), changes=changes)


def _message(words: list[str], rng: np.random.Generator) -> str:
    count = int(rng.integers(3, 9))
    own = rng.choice(words, int(rng.integers(1, 4)))
    body = " ".join(rng.permutation([*own, *rng.choice(COMMON, count)]))
    return f"{rng.choice(OPENINGS)}, {body}. {rng.choice(CLOSINGS)}".strip()
