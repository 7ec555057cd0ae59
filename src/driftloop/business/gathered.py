"""Gathered: what one period's review needs, from the store: served rows, outcomes, spending.

Rows served by a bundle of another objective are left out, so that a pivot is not judged by what
came before it. A label other than the objective's counts 0 where none was reported: what was not
reported has not been paid. Outcomes are taken until one period after they are mature; so the
accounts of an old period stand still.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from driftloop.archive import Archive
from driftloop.business import accounts, missing
from driftloop.evaluation import cohort, kpi
from driftloop.inference_log import InferenceLog
from driftloop.labels import join as labels
from driftloop.labels import outcomes
from driftloop.loop import LearningLoop
from driftloop.training import outcome
from driftloop_contracts import bundle
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY, CHOSEN, STANDS_FOR
from driftloop_contracts.object_store import ObjectStore

RECORD = ("prediction_id", "event_time", "weight", "prediction", "bundle_version", STANDS_FOR)
ANSWERED = ("decided", "decided_right", "decided_wrong")
"""Of classes: impressions whose answer was given and not left to a person, and how it was."""


class Labelled(NamedTuple):
    """Rows with their outcomes, and what ``accounts.Period`` has of the outcomes that came."""

    rows: pd.DataFrame
    coverage: float
    reported: dict[str, float]


class Gathering:
    """One loop's store, read a period at a time; nothing known after ``until`` is used.

    ``notes``: a sentence for each thing in the store that could not be read and was passed over.
    """

    def __init__(self, store: ObjectStore, loop: LearningLoop, until: datetime) -> None:
        self.store, self.loop, self.until = store, loop, until
        self.log, self.archive = InferenceLog.of(store, loop), Archive(store, loop.name)
        self.notes: list[str] = []
        self._objectives: dict[str, str] = {}
        self._trained: list[datetime] | None = None

    def records(self, start: datetime, end: datetime) -> pd.DataFrame:
        """Return what was served in [start, end) for the present objective."""
        found = self.log.read(start, min(end, self.until), self._columns())
        if "bundle_version" not in found:
            return found
        mine = self.loop.spec.objective.name
        kept = [self._objective(str(version)) in ("", mine) for version in found["bundle_version"]]
        return found[np.array(kept, bool)].reset_index(drop=True)

    def labelled(self, records: pd.DataFrame, start: datetime, end: datetime) -> Labelled:
        """Return the records of [start, end) whose outcome is mature, a column for each label."""
        spec = self.loop.spec
        wait = spec.label_source.maturity + spec.business.period
        now = self.until if self.until - end < wait else end + wait
        reports = self.archive.outcomes(start, now, self._label)
        reports = reports[[*outcomes.COLUMNS, *({CATEGORY} & {*reports})]]
        joined = self._joined(records, spec.objective.label, reports, now)
        coverage = missing.coverage(joined.rows, joined.coverage)
        reported = {spec.objective.label: joined.coverage.share}
        rows = joined.rows
        rows = rows.assign(**{spec.objective.label: rows["positives"]}, **self._answered(rows))
        for name in self._labels(rows.columns, {str(one) for one in reports["label"].unique()}):
            other = self._joined(rows, name, reports, now)
            found = other.rows.set_index("prediction_id")["positives"]
            rows[name] = rows["prediction_id"].map(found).fillna(0.0).clip(upper=rows["weight"])
            coverage = min(coverage, missing.heard(rows, name)) if len(rows) else coverage
            reported[name] = other.coverage.share
        return Labelled(rows, coverage, {k: v for k, v in reported.items() if v is not None})

    def spent(self, records: pd.DataFrame, start: datetime, end: datetime) -> pd.DataFrame:
        """Return what was spent on in [start, end), as ``accounts.periods`` takes it."""
        stands_for = records[STANDS_FOR].fillna(1.0) if STANDS_FOR in records else 1.0
        served = records[["event_time"]].assign(predictions=stands_for)
        trained = pd.DataFrame({"event_time": self._trainings(), "trainings": 1.0})
        parts = [served, trained.astype({"event_time": "datetime64[us, UTC]"})]
        if self.loop.spec.business.costs.label:
            reports = self.archive.outcomes(start, min(end, self.until), self._label)
            first = reports[(reports["label"] == self._label) & (reports["revision"] == 0)]
            known = first["known_time"]
            parts.append(pd.DataFrame({"event_time": known, "labels": 1.0})[known.notna()])
        spent = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        spent = spent[(spent["event_time"] >= start) & (spent["event_time"] < end)]
        return spent.fillna({name: 0.0 for name in accounts.SPENT if name in spent})

    def _answered(self, rows: pd.DataFrame) -> dict[str, pd.Series[float]]:
        """Return how each row was answered, where answers are classes."""
        given = cohort.decided(self.loop, rows["prediction"])
        if given is None:
            return {}
        decided, right = rows["weight"] * given, rows["positives"] * given
        return dict(zip(ANSWERED, (decided, right, decided - right), strict=True))

    @property
    def _label(self) -> str:
        return self.loop.spec.objective.label

    def _columns(self) -> list[str]:
        spec = self.loop.spec
        chosen = (CHOSEN,) if spec.objective.classes else ()
        names = (*RECORD, spec.gate.entity, *spec.business.propensities, *chosen)
        return list(dict.fromkeys((*names, *self._named())))

    def _named(self) -> list[str]:
        """Return the names that prices and formulas use beside those that every period has."""
        spec = self.loop.spec
        used = kpi.names(spec.objective.kpi.formula) | kpi.names(spec.business.satisfaction)
        given = accounts.GIVEN | accounts.PREDICTED
        if spec.objective.classes:
            given = given | {*ANSWERED}
        return sorted((used | spec.business.prices.keys()) - given)

    def _labels(self, columns: Iterable[str], reported: set[str]) -> list[str]:
        """Return the names that are no column of the log; raise InvalidInput for no label either.

        A misspelt price would otherwise be one that nobody ever pays.
        """
        there, found = set(columns), []
        known = reported | {label.name for label in self.loop.spec.data.labels}
        for name in (name for name in self._named() if name not in there):
            if name not in known:
                what = f"'{name}' in business.prices or a formula"
                allowed = f"a column of the log or a label: one of {sorted(there | known)}"
                raise InvalidInput(what, f"loop {self.loop.name}", allowed, name)
            found.append(name)
        return found

    def _joined(
        self, records: pd.DataFrame, label: str, reports: pd.DataFrame, now: datetime
    ) -> labels.Joined:
        spec = self.loop.spec
        source = spec.data.label(label).model_copy(update={"completeness": None})
        classes = spec.objective.classes if label == spec.objective.label else ()
        if classes and CHOSEN not in records:  # None of them was answered so.
            records = records.assign(**{CHOSEN: None})
        return labels.join(records, reports, source, now, classes)

    def _objective(self, version: str) -> str:
        """Return the objective that a bundle was made for, '' where it is not known."""
        if version not in self._objectives:
            try:
                content = self.store.get(bundle.key(self.loop.name, version, bundle.MANIFEST))
                facts = json.loads(content).get("facts") or {}
                self._objectives[version] = str(facts.get("objective") or "")
            except (KeyError, ValueError, AttributeError):
                self._objectives[version] = ""
        return self._objectives[version]

    def _trainings(self) -> list[datetime]:
        """Return when each run of the training pipeline had its newest data: about when it ran.

        A run that failed has no data; it counts by its cut-off, or with the run before or after it.
        """
        if self._trained is None:
            ended = pd.Series(self._verdicts(), dtype="datetime64[us, UTC]").ffill().bfill()
            self._trained = [moment.to_pydatetime() for moment in ended.dropna()]
            if lost := len(ended) - len(self._trained):
                self.notes.append(
                    f"Of {lost} trainings nobody knows when they ran; none is counted."
                )
        return self._trained

    def _verdicts(self) -> list[datetime | None]:
        """Return the same in the order of the runs, None where a verdict does not say it."""
        prefix, found = f"retrainings/{self.loop.name}/", []
        keys = [key for key in self.store.list(prefix) if key.endswith("/verdict.json")]
        for key in sorted(keys, key=_number):
            try:
                ended = outcome.read(self.store.get(key))
            except InvalidInput as error:
                self.notes.append(f"The training of {key} is not counted: {error}")
                continue
            found.append(ended.data_end or ended.cutoff)
        return found


def _number(key: str) -> tuple[int, str]:
    """Return a verdict's place among its loop's: the number of its Retraining.

    >>> _number("retrainings/ads-ctr/ads-ctr-12/verdict.json")[0]
    12
    """
    number = key.split("/")[-2].rpartition("-")[2]
    return (int(number) if number.isdecimal() else 0), key
