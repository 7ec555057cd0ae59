"""History: what was believed of each prediction, from when on.

Of the reports known at a time the highest revision counts, then the one known last. Two that
differ in value but in neither of these are a conflict: the larger value counts, because "none"
is also what a lost report looks like. The rule sees no order of arrival, so neither does what
follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from driftloop import instants
from driftloop.labels import outcomes
from driftloop_contracts.inference import CATEGORY

BELIEF = ["value", "event_time", "known_time", "revision"]


@dataclass(frozen=True)
class History:
    """Beliefs in order: a row for each time at which a prediction had a report that counted.

    ``beliefs``: ``of`` (int, the prediction), ``BELIEF``, and ``changed``: whether the value is
    not the one before. ``conflicts``: reports that lost to one of equal revision and time. Where
    outcomes are classes, a belief has its ``category``, which changes as a value does.
    """

    beliefs: pd.DataFrame
    conflicts: int

    def latest(self) -> pd.DataFrame:
        """Return what is believed in the end, by ``of``.

        ``first_known``: when there was a first belief; ``settled``: when the value became what
        it now is. They differ where an outcome was corrected.
        """
        beliefs = self.beliefs
        last = beliefs.drop_duplicates("of", keep="last").set_index("of")
        first = beliefs.drop_duplicates("of").set_index("of")
        change = beliefs[beliefs["changed"]].drop_duplicates("of", keep="last").set_index("of")
        known = {"first_known": first["known_time"], "settled": change["known_time"]}
        return last[_belief(beliefs)].assign(**known)

    def arrivals(self) -> pd.DataFrame:
        """Return when positives came that still hold: ``of``, ``known_time``, ``positives``.

        A count that grows has an arrival for each growth. What was taken back later did not
        arrive, and what came back arrived when it came back: with m the least value from a
        belief on, that belief brought the rise of m.
        """
        beliefs = self.beliefs
        if CATEGORY in beliefs:  # It arrived when it became what it is.
            change = beliefs[beliefs["changed"]].drop_duplicates("of", keep="last")
            return change[["of", "known_time"]].assign(positives=change["value"])
        backwards = beliefs.iloc[::-1]
        lasting = backwards.groupby("of", sort=False)["value"].cummin().iloc[::-1]
        rise = lasting - lasting.groupby(beliefs["of"]).shift(fill_value=0.0)
        return beliefs.loc[rise > 0, ["of", "known_time"]].assign(positives=rise[rise > 0])


def build(reports: pd.DataFrame) -> History:
    """Return the history of sound ``reports``, whose ``of`` says which prediction each is of."""
    rows = _ordered(reports)
    same = rows.duplicated(["of", "known_time", "revision"])
    conflicts = int((same & _differs(rows)).sum())
    # In order of known_time a report counts unless a higher revision was there before it.
    rows = rows[rows["revision"] == rows.groupby("of")["revision"].cummax()]
    rows = rows.drop_duplicates(["of", "known_time"], keep="last").reset_index(drop=True)
    changed = ~rows.duplicated("of") | _differs(rows)
    return History(rows.assign(changed=changed), conflicts)


def _belief(rows: pd.DataFrame) -> list[str]:
    return [*BELIEF, *([CATEGORY] if CATEGORY in rows else [])]


def _differs(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return whether each row says something else than the one before it."""
    differs: pd.Series[bool] = rows["value"].diff().ne(0)
    return differs | rows[CATEGORY].ne(rows[CATEGORY].shift()) if CATEGORY in rows else differs


@dataclass(frozen=True)
class Resolved:
    """What is known of each prediction, what was set aside, and what came double.

    ``rows``: in order of ``prediction_id``, with ``BELIEF``, ``first_known`` and ``settled``.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    duplicates: int
    conflicts: int


def resolved(reports: pd.DataFrame, label: str, cutoff: datetime) -> Resolved:
    """Return the one outcome of each prediction that is known at ``cutoff`` (inclusive).

    Raise InvalidInput for a missing column or a time without its zone.

    >>> noon = pd.Timestamp("2026-01-01T12:00Z")
    >>> row = {"prediction_id": "p", "label": "click", "event_time": noon}
    >>> no = row | {"value": 0.0, "known_time": noon, "revision": 0}
    >>> yes = row | {"value": 1.0, "known_time": noon + pd.Timedelta("1h"), "revision": 1}
    >>> for hour in (12, 13):
    ...     found = resolved(pd.DataFrame([yes, no]), "click", noon.replace(hour=hour))
    ...     print(hour, found.rows["value"].tolist())
    12 [0.0]
    13 [1.0]
    """
    found = outcomes.known(reports, label, instants.utc(cutoff))
    once = found.drop_duplicates()
    sound, rejected = outcomes.screened(once)
    codes, names = pd.factorize(sound["prediction_id"], sort=True)
    past = build(sound.assign(of=codes))
    rows = past.latest()
    rows.insert(0, "prediction_id", np.asarray(names)[rows.index])
    duplicates = len(found) - len(once)
    return Resolved(rows.reset_index(drop=True), rejected, duplicates, past.conflicts)


def _ordered(reports: pd.DataFrame) -> pd.DataFrame:
    """Return ``of`` and ``BELIEF`` in the order in which a later row outdoes an earlier one."""
    rows = reports[["of", *_belief(reports)]].astype({"revision": "int64"})
    event, known = (instants.micros(rows[name]) for name in ("event_time", "known_time"))
    value, revision, of = (rows[name].to_numpy() for name in ("value", "revision", "of"))
    keys = [event, value, revision, known, of]
    if (
        CATEGORY in rows
    ):  # Of two that differ in nothing else the later name counts: some rule must.
        keys = [event, pd.factorize(rows[CATEGORY], sort=True)[0], *keys[1:]]
    return rows.iloc[np.lexsort(keys)].reset_index(drop=True)
