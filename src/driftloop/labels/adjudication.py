"""Adjudication: which label is taken where reviewers differ, and what it says to the loop.

The majority's; a tie is nobody's, and is told. Where three or more reviewers have said enough, the
label model weighs them by how good each one is (label_model.py), and the likeliest class is taken.
What was taken becomes an outcome as outcomes.py has it, of a revision above the one it replaces,
known when the last review was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from driftloop.labels import classes as names
from driftloop.labels import label_model, outcomes
from driftloop.labels.classes import NONE
from driftloop.labels.votes import Votes
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

MANY = 3
"""Reviewers from which on they are weighed."""
ENOUGH = 30
"""Rows that each of them shares with others."""
WHERE = "the reviews"


@dataclass(frozen=True, eq=False)
class Adjudicated:
    """One label a row: ``taken`` and ``undecided`` have id, known_time and ``reviewers`` (count).

    ``taken`` has ``label`` too, and its ``probability``: the share of reviewers, or the label
    model's. ``method``: majority or Dawid-Skene.
    """

    taken: pd.DataFrame
    undecided: pd.DataFrame
    method: str


def votes(reviews: pd.DataFrame, classes: Sequence[str]) -> tuple[list[str], Votes]:
    """Return the ids and the reviewers' votes on them; ``reviews``: id, label, reviewer.

    >>> said = pd.DataFrame({"id": ["a", "a"], "label": ["no", "yes"], "reviewer": ["x", "y"]})
    >>> votes(said, ("no", "yes"))[1].codes.tolist()
    [[0, 1]]
    """
    wanted = names.required(classes)
    outcomes.require(reviews, ("id", "label", "reviewer"), WHERE)
    rows, ids = pd.factorize(reviews["id"], sort=True)
    columns, reviewers = pd.factorize(reviews["reviewer"], sort=True)
    codes = np.full((len(ids), len(reviewers)), NONE)
    codes[rows, columns] = names.codes(reviews["label"].tolist(), wanted, WHERE)
    return [str(one) for one in ids], Votes(codes, tuple(map(str, reviewers)), wanted)


def adjudicate(reviews: pd.DataFrame, classes: Sequence[str]) -> Adjudicated:
    """Return the label that is taken of each reviewed row; ``reviews``: with known_time as well."""
    ids, said = votes(reviews, classes)
    outcomes.require(reviews, ("known_time",), WHERE)
    counts = said.counts()
    weighed = _weighed(said)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    p = label_model.fit(said, abstention="missing").probabilities if weighed else shares
    best = p.max(axis=1)
    tied = (p > best[:, None] - 1e-9).sum(axis=1) > 1
    table = pd.DataFrame({"id": ids, "label": np.asarray(said.classes, object)[p.argmax(axis=1)]})
    table["probability"], table["reviewers"] = best, counts.sum(axis=1).astype("int64")
    table["known_time"] = table["id"].map(reviews.groupby("id")["known_time"].max())
    undecided = table[tied].drop(columns=["label", "probability"]).reset_index(drop=True)
    method = "Dawid-Skene" if weighed else "majority"
    return Adjudicated(table[~tied].reset_index(drop=True), undecided, method)


def reports(
    taken: pd.DataFrame,
    records: pd.DataFrame,
    label: str,
    classes: Sequence[str],
    known: pd.DataFrame | None = None,
    *,
    categories: bool = False,
) -> pd.DataFrame:
    """Return ``taken`` labels as outcomes of ``label``, and the class beside them as ``class``.

    ``value`` is the class's place in ``classes``: of two 0 and 1. With ``categories``, as of an
    objective with classes, it is 1 and the class is the ``category``. ``records``: prediction_id
    and event_time of what was reviewed; ``known``: earlier outcomes, each of which one replaces.
    Raise InvalidInput for a missing column and an id of no record.
    """
    outcomes.require(records, ("prediction_id", "event_time"), "the records")
    asked = records.drop_duplicates("prediction_id").set_index("prediction_id")["event_time"]
    codes = names.codes(taken["label"].tolist(), classes, WHERE)
    ids = taken["id"].astype(object)
    strange = ~ids.isin(asked.index)
    if strange.any():
        raise InvalidInput("an id", WHERE, "that of a record", ids[strange].iloc[0])
    value = np.ones(len(codes)) if categories else codes.astype("float64")
    found = pd.DataFrame({"prediction_id": ids, "label": label, "value": value})
    found["event_time"] = asked.loc[ids].to_numpy()
    found["known_time"] = taken["known_time"].to_numpy()
    for name in ("event_time", "known_time"):
        found[name] = pd.to_datetime(found[name], utc=True).astype("datetime64[us, UTC]")
    found["revision"] = _revisions(ids, label, known)
    found[CATEGORY if categories else "class"] = taken["label"].to_numpy()
    return found.reset_index(drop=True)


def _revisions(ids: pd.Series[str], label: str, known: pd.DataFrame | None) -> pd.Series[int]:
    if known is None or known.empty:
        return pd.Series(0, index=ids.index)
    outcomes.require(known, ("prediction_id", "label", "revision"), "the outcomes")
    of = known[known["label"] == label]
    highest = outcomes.numbers(of["revision"]).groupby(of["prediction_id"]).max()
    return ids.map(highest + 1).fillna(0).astype("int64")


def _weighed(said: Votes) -> bool:
    shared = said.cast & (said.cast.sum(axis=1) > 1)[:, None]
    return len(said.voters) >= MANY and bool((shared.sum(axis=0) >= ENOUGH).all())
