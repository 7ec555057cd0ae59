"""Tickets: two sets of real texts, brought into one form and put on a schedule.

FOLDER holds ``it_tickets_47k`` (a service desk's own requests) and ``bitext_customer_support``
(customers' requests, written for chatbots), or files of these names. Their topics are mapped to the
four departments, others are left out. Neither has times or requesters: a seeded schedule spreads
the texts evenly over days, and each text has a requester of its own. So nothing here drifts, and no
feature of a requester is known.
"""

import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from driftloop.traffic import Traffic
from driftloop.usecase import Span
from driftloop_contracts.errors import InvalidInput
from usecases.support_routing.wording import normalised

FIRST_DAY = pd.Timestamp("2026-01-05", tz="UTC")
DAYS = 120
"""Days that the schedule spreads the texts over."""
TAKEN = pd.Timedelta(hours=6)
DESK, CUSTOMERS = "service_desk", "customers"
FILES = {
    DESK: ("it_tickets_47k", "all_tickets_processed_improved_v3.csv.gz"),
    CUSTOMERS: ("bitext_customer_support", "bitext_6480.csv.gz"),
}
COLUMNS = {DESK: ("Document", "Topic_group"), CUSTOMERS: ("instruction", "category")}
DEPARTMENTS: Mapping[str, Mapping[str, str]] = {
    DESK: {
        "HR Support": "hr",
        "Hardware": "it",
        "Access": "it",
        "Storage": "it",
        "Administrative rights": "it",
        "Purchase": "accounting",
    },
    CUSTOMERS: {
        "PAYMENT": "accounting",
        "INVOICE": "accounting",
        "REFUND": "accounting",
        "ORDER": "inventory",
        "DELIVERY": "inventory",
        "SHIPPING_ADDRESS": "inventory",
    },
}


def read(span: Span) -> Traffic:
    """Return the texts' traffic within ``span``; raise InvalidInput for an unusable folder."""
    assert span.data is not None
    parts = [_mapped(_load(span.data, source), source) for source in FILES]
    texts = pd.concat(parts, ignore_index=True)
    empty = texts["message"] == ""
    repeated = texts.duplicated("message") & ~empty
    rejected = texts[empty].assign(reason="a text of more than stop words, digits and punctuation")
    requests = _scheduled(texts[~empty & ~repeated], span.seed)
    kept = span.within(requests["event_time"])
    if not kept.any():
        allowed = f"within {FIRST_DAY:%Y-%m-%d} and {DAYS} days"
        raise InvalidInput("--from and --to", str(span.data), allowed, f"{span.first}..{span.last}")
    requests = requests[kept].reset_index(drop=True)
    notes = _notes(requests, int(repeated.sum()), span.seed)
    asked = requests.drop(columns=["category", "topic"])
    return Traffic(asked, _outcomes(requests), rejected.astype(str), notes)


def _load(folder: Path, source: str) -> pd.DataFrame:
    name = FILES[source][1]
    found = [path for path in (folder / FILES[source][0] / name, folder / name) if path.is_file()]
    if not found:
        raise InvalidInput(
            "--data", str(folder), f"a folder with {'/'.join(FILES[source])}", "none"
        )
    where = str(found[0])
    try:
        raw = pd.read_csv(where, dtype="string", keep_default_na=False)
    except (OSError, ValueError, EOFError, zlib.error) as error:
        got = str(error).splitlines()[0]
        raise InvalidInput("--data", where, "a readable csv.gz file", got) from error
    for column in COLUMNS[source]:
        if column not in raw:
            raise InvalidInput(f"column '{column}'", where, "present", list(raw.columns))
    return raw


def _mapped(raw: pd.DataFrame, source: str) -> pd.DataFrame:
    """Return the texts of the topics that belong to a department, normalised."""
    text, topic = COLUMNS[source]
    department = raw[topic].map(DEPARTMENTS[source])
    kept = raw[department.notna()]
    return pd.DataFrame(
        {
            "message": [normalised(value) for value in kept[text]],
            "source": source,
            "topic": kept[topic].astype(object),
            "category": department[department.notna()].astype(object),
        }
    )


def _scheduled(texts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the texts in an order and at times that the seed draws."""
    rng = np.random.default_rng(seed)
    rows = texts.iloc[rng.permutation(len(texts))].reset_index(drop=True)
    offset = np.sort(rng.uniform(0, DAYS, len(rows)))
    times = FIRST_DAY + pd.to_timedelta((offset * 86_400_000_000).astype("int64"), unit="us")
    keys = {
        "row_id": [f"text-{number}" for number in range(len(rows))],
        "event_time": pd.DatetimeIndex(times).as_unit("us"),
        "requester_id": np.arange(len(rows)),
        "weight": 1.0,
    }
    return rows.assign(**keys)


def _outcomes(requests: pd.DataFrame) -> pd.DataFrame:
    outcomes = requests[["row_id", "event_time", "category"]].assign(
        positives=1.0, known_time=requests["event_time"] + TAKEN, revision=0
    )
    times = {name: "datetime64[us, UTC]" for name in ("event_time", "known_time")}
    return outcomes.astype(times)


def _notes(requests: pd.DataFrame, repeated: int, seed: int) -> tuple[str, ...]:
    counts = requests["source"].value_counts()
    said = ", ".join(f"{counts.get(name, 0):,} of {name}" for name in FILES)
    schedule = (
        f"The texts have no times: a schedule of seed {seed} spreads them over {DAYS} days. Each "
        "has a requester of its own."
    )
    kept = f"{len(requests):,} texts, {said}; {repeated:,} repeated another and were left out."
    return kept, schedule
