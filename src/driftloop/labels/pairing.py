"""Pairing: which record each report is of, and which reports no record can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from driftloop import instants
from driftloop.labels import history, outcomes
from driftloop.labels.history import History
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import STANDS_FOR

RECORD_COLUMNS = ("prediction_id", "event_time", "weight")
WHERE = "the records"


@dataclass(frozen=True)
class Paired:
    """The reports on one label known at the cut-off.

    ``history``: of those that count, ``of`` the place of their record; ``rejected``: with a
    ``reason``; ``orphans``: how many are of no record; ``duplicates``: how many were copies.
    """

    history: History
    rejected: pd.DataFrame
    orphans: int
    duplicates: int


def asked(records: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """Return the records asked by ``cutoff`` (inclusive), in order.

    Raise InvalidInput for a missing column, a time without its zone or missing, and an id that is
    missing or there twice.
    """
    outcomes.require(records, RECORD_COLUMNS, WHERE)
    times = instants.column(records, "event_time", WHERE)
    for name in ("event_time", "prediction_id"):
        if records[name].isna().any():
            raise InvalidInput(f"column '{name}'", WHERE, "present in every row", "nothing")
    ids = records["prediction_id"]
    if not ids.is_unique:
        raise InvalidInput("prediction_id", WHERE, "unique", ids[ids.duplicated()].iloc[0])
    past, weight = times <= cutoff, outcomes.numbers(records["weight"])
    return records.assign(event_time=times, weight=weight)[past].reset_index(drop=True)


def stands_for(records: pd.DataFrame) -> pd.Series[float]:
    """Return how many rows each record stands for: one where nothing says otherwise."""
    if STANDS_FOR not in records:
        return pd.Series(1.0, index=records.index)
    return outcomes.numbers(records[STANDS_FOR]).fillna(1.0)


def pair(records: pd.DataFrame, found: pd.DataFrame, classes: Sequence[str] = ()) -> Paired:
    """Return the reports ``found`` with their record; of several faults the first is the reason.

    ``classes``: that outcomes are one of, if they are.
    """
    once = found.drop_duplicates()
    sensible, senseless = outcomes.screened(once, classes)
    of = pd.Index(records["prediction_id"]).get_indexer(pd.Index(sensible["prediction_id"]))
    own = sensible.assign(of=of)[of >= 0]
    record = records.assign(weight=records["weight"] / stands_for(records))
    record = record.iloc[own["of"]].set_index(own.index)
    reasons = {
        "happened before its record": own["event_time"] < record["event_time"],
        # A weight that is missing allows no value.
        "value above its record's weight": ~(own["value"] <= record["weight"]),
    }
    sound, impossible = outcomes.set_aside(own, reasons)
    rejected = pd.concat([senseless, impossible.drop(columns="of")], ignore_index=True)
    return Paired(history.build(sound), rejected, len(sensible) - len(own), len(found) - len(once))
