"""Story: a bank that wishes for better support, until its requests find their department.

Nothing here says what is to be found. Each stage looks at the bank as it is with the platform's own
cores, and what it finds decides what comes next (driftloop/story/acting.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from driftloop import loop
from driftloop.labels import functions, label_model
from driftloop.labels.label_model import LabelModel
from driftloop.stages.stage import Stage
from driftloop.story.finding import Finding
from driftloop.story.staged import Staged
from driftloop.training import fit
from driftloop.usecase import UseCase
from usecases.support_routing import bank, findings
from usecases.support_routing.bank import DAY, FIRST_DAY, Bank
from usecases.support_routing.findings import Known

FOLDER = Path(__file__).parent
BEGINS = 100
"""The day on which the story begins; the requests to label are of the two weeks before it."""
TESTS, MORE, TRUSTED = 600, 400, 2.0
"""Requests that careful people label to test on, of a new topic, and what one is worth."""
LONGEST_WATCH, LONGEST_REVIEW = 4, 4
"""Weeks that monitoring looks at in one turn, and that a review may go on watching."""


class SupportStory(Staged):
    """One bank and its requests."""

    loop = "support-story"
    title = "Which department answers"
    lead = (
        "A bank wishes for better support. Each stage does its work on requests whose department "
        "only the simulator knows, and sends the loop back when it finds a reason to."
    )
    first_day = FIRST_DAY.to_pydatetime()
    took: ClassVar = {
        "label_errors": 5,
        "data_drift": 2,
        "unrepresentative": 3,
        "no_better": 2,
        "gate_refused": 2,
    }

    def __init__(self, seed: int) -> None:
        super().__init__(seed, BEGINS)
        self.bank = Bank(seed)
        self.case = UseCase("support_routing", FOLDER, loop.read(FOLDER / "story.yaml"))
        self.waiting = self.bank.requests((BEGINS - 14, BEGINS), self.rng())
        self.has_reviewers, self.rows = False, pd.DataFrame()
        self.weak: LabelModel | None = None
        self.known: Known | None = None
        self.champion: Known | None = None
        self.reference = self.newest = self.served = self.week = pd.DataFrame()
        self.reached: dict[str, float] = {}

    def stages(self) -> Mapping[Stage, Callable[[], Finding]]:
        """Return what each stage does."""
        return {
            Stage.SCOPING: self._scoping,
            Stage.DATA_ENGINEERING: self._data,
            Stage.MODEL_DEVELOPMENT: self._model,
            Stage.DEPLOYMENT: self._deployment,
            Stage.MONITORING: self._monitoring,
            Stage.BUSINESS_ANALYSIS: self._business,
        }

    def remedy(self, rule: str) -> None:
        """Do differently what ``rule`` asks for."""
        if rule == "label_errors":
            self.has_reviewers = True
        elif rule == "data_drift":
            # What was told once is not told again.
            self.reference, self.newest = self.newest, self.newest
        elif rule == "unrepresentative":
            self.waiting = pd.concat([self.waiting, self.week], ignore_index=True)

    def outcome(self) -> Mapping[str, float]:
        """Return what the model brings: minutes of 1,000 requests, and the share sent right."""
        return self.reached

    def _scoping(self) -> Finding:
        return findings.scoping(self.case, self.bank.steps(self.rng()), self.rng())

    def _data(self) -> Finding:
        self.weak, found = findings.weak(self.case, self.waiting)
        names = np.array(self.weak.classes, object)[self.weak.labels]
        rows = self.waiting.assign(truth=self.waiting["category"], category=names)
        if not self.has_reviewers:
            self.rows = rows[self.weak.covered].reset_index(drop=True)
            return found
        return self._reviewed(rows)

    def _reviewed(self, rows: pd.DataFrame) -> Finding:
        """Have people label what the model doubts; keep the weak labels that theirs agree with."""
        assert self.known is not None
        policy, chances = self.case.loop.spec.data.labelling.review, self._chances(rows)
        chosen = bank.queue(chances, policy.rows, policy.random, self.rng())
        fresh = rows["event_time"] >= FIRST_DAY + BEGINS * DAY
        if fresh.any():
            more = self.rng().choice(np.flatnonzero(fresh), MORE, replace=False)
            chosen = np.union1d(chosen, more)
        rng = self.rng()
        careful = rows.iloc[chosen].assign(weight=TRUSTED)
        careful["category"] = bank.reviewed(careful.assign(category=careful["truth"]), rng)
        model = fit.fit(self.case, self.case.loop.spec.training.estimators[0], careful)
        rest = rows.drop(index=rows.index[chosen])
        agrees = fit.answers(self.case, model, rest).chosen == rest["category"].to_numpy(object)
        self.rows = pd.concat([careful, rest[agrees]]).sort_values("event_time", ignore_index=True)
        said = (
            f"People label {len(chosen):,} requests, most of those that the model doubts. Of "
            f"{len(rest):,} weak labels {agrees.mean():.0%} agree with a model of theirs and stay."
        )
        figures = (("labelled by people", f"{len(chosen):,}"), ("rows", f"{len(self.rows):,}"))
        return Finding("Labels by people", (said,), figures)

    def _chances(self, rows: pd.DataFrame) -> np.ndarray:
        assert self.known is not None
        found = fit.answers(self.case, self.known.model, rows).probabilities
        assert found is not None
        return found

    def _tested(self) -> pd.DataFrame:
        """Return requests of the last week, none learnt from, that careful people labelled."""
        rows = self.bank.requests((self.today - 7, self.today), self.rng())
        tests = rows.sample(TESTS, random_state=self.rng()).sort_values("event_time")
        return tests.assign(category=bank.reviewed(tests, self.rng())).reset_index(drop=True)

    def _model(self) -> Finding:
        if self.known is not None and len(self.newest):
            found = findings.newest_known(self.known, self.newest)
            self.newest = pd.DataFrame()
            back = found.returned()
            if back:
                title = "Error analysis: it has never seen such requests"
                return Finding(title, (found.sentence,), (), back)
        self.known, tests = findings.learnt(self.case, self.rows), self._tested()
        audited = findings.labels_audited(self.case, self.rows, tests, self.rng())
        if audited.returned and not self.has_reviewers:
            return audited
        compared = findings.better(self.case, self.known, self._ruled(tests), tests, self.rng())
        sentences = (*audited.sentences[:1], *compared.sentences)
        return compared._replace(sentences=sentences, figures=audited.figures + compared.figures)

    def _ruled(self, tests: pd.DataFrame) -> LabelModel:
        """Return what the rules of thumb say of the tests."""
        classes = self.case.loop.spec.objective.classes
        both = pd.concat([self.waiting, tests], ignore_index=True)
        votes = functions.cast(self.case.labelling_functions(), both, classes)
        found = label_model.fit(votes)
        return replace(found, probabilities=found.probabilities[len(self.waiting) :])

    def _deployment(self) -> Finding:
        assert self.known is not None
        model, tests = self.known.model, self._tested()
        served = self.champion.model if self.champion else None
        found = findings.deployment(self.case, model, served, tests, self.rng())
        if found.returned and self.champion is not None:
            # What is in service goes on: a candidate that the gate refuses ends the retraining.
            self.known = self.champion
            title = "Refused: what is in service goes on"
            found = found._replace(title=title, returned=None)
        if not found.returned:
            self.champion = self.known
            self.reference, self.served = self._expected(), pd.DataFrame()
            self._measure()
        return found

    def _expected(self) -> pd.DataFrame:
        """Return how the watched columns look on requests that were not learnt from."""
        if len(self.reference):
            return self._described(self.week)
        return self._described(self.bank.requests((self.today - 7, self.today), self.rng()))

    def _described(self, rows: pd.DataFrame) -> pd.DataFrame:
        assert self.known is not None
        told = fit.answers(self.case, self.known.model, rows)
        return findings.described(rows, self.known.vocabulary, told)

    def _measure(self) -> None:
        """Note what the model brings, on requests that are the same in every run of the seed."""
        assert self.known is not None
        drawn = np.random.default_rng([self.seed, 3])
        rows = self.bank.requests((180, 194), drawn)
        served, _ = findings.answered(self.case, self.known.model, rows)
        right, wrong = served["decided_right"].mean(), served["decided_wrong"].mean()
        minutes = float(1000 * (2 * right - 6 * wrong))
        self.reached = {"minutes": minutes, "right_first_time": float(right)}

    def _serve(self) -> pd.DataFrame:
        """Serve one more week and return what is watched of it."""
        assert self.known is not None
        self.week = self.bank.requests((self.today, self.today + 7), self.rng())
        self.today += 7
        rows, told = findings.answered(self.case, self.known.model, self.week)
        self.served = pd.concat([self.served, rows], ignore_index=True)
        return findings.described(self.week, self.known.vocabulary, told)

    def _monitoring(self) -> Finding:
        """Look at one week after another, until one shows drift."""
        for _ in range(LONGEST_WATCH):
            watched = self._serve()
            back = findings.drift(self.reference, watched)
            last = self.served.tail(len(watched))
            sure, right = last["prediction"].mean(), last["positives"].mean()
            said = (
                f"In the week before day {self.today} the model is {sure:.0%} sure on average and "
                f"{right:.0%} right; {last['decided'].mean():.0%} of the requests it decides."
            )
            figures = (("right", f"{right:.1%}"), ("answered", f"{last['decided'].mean():.0%}"))
            if back:
                self.newest = watched
                return Finding("Something new is being asked", (said,), figures, back)
        return Finding("In service, quiet", (said,), figures)

    def _business(self) -> Finding:
        """Review the periods one after another until one decides."""
        for _ in range(LONGEST_REVIEW):
            found, decides = findings.business(self.case, self.served, self.rng())
            if decides:
                break
            self._serve()
        return found


def play(seed: int) -> SupportStory:
    """Return the story of one bank."""
    return SupportStory(seed)
