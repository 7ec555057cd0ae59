"""Story: the ads of a shop, from the wish to show more of them to a system that pays.

Nothing here says what is to be found. Each stage looks at the market as it is with the platform's
own cores, and what it finds decides what comes next (driftloop/story/acting.py).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from driftloop import loop
from driftloop.stages.stage import Stage
from driftloop.story.finding import Finding
from driftloop.story.staged import Staged
from driftloop.training import fit
from driftloop.usecase import UseCase
from usecases.ads_ctr import findings, reviewers, showcase
from usecases.ads_ctr.market import FIRST_DAY, Market
from usecases.ads_ctr.showcase import Score

FOLDER = Path(__file__).parent
BEGINS = 115
"""The day on which the story begins; the labelled rows are of the first 60 days."""
SEARCHES = 40_000
"""Searches of one period of the business."""
MORE_PILOTS = 3
"""How often scoping has as many rows labelled again, to tell what ML would gain."""
LONGEST_WATCH = 4
"""Periods in which a review may go on watching."""
IMPRESSIONS = "impressions of the first model, per 1,000 searches"
REVENUE = "revenue at the end, EUR per 1,000 searches"


def by_match(found: pd.DataFrame) -> Any:
    """Return the score of the rule that was there before: the better the words match."""
    return found["match"].to_numpy("float64")


class AdsStory(Staged):
    """One shop and its market."""

    loop = "ads-story"
    title = "Which ad to show"
    lead = (
        "A shop wants to show more ads. Each stage does its work on a market whose truth only the "
        "simulator knows, and all but the first may send the loop back when they find a reason to."
    )
    first_day = FIRST_DAY.to_pydatetime()
    took: ClassVar = {"label_errors": 4, "few_positives": 6, "stale_data": 2, "pivot": 3}

    def __init__(self, seed: int) -> None:
        super().__init__(seed, BEGINS)
        self.market = Market(seed)
        self.case = UseCase("ads_ctr", FOLDER, loop.read(FOLDER / "story.yaml"))
        self.days, self.trusts_vendor, self.collects = (0, 60), True, False
        self.rows, self.served = pd.DataFrame(), pd.DataFrame()
        self.models: dict[str, Any] = {}
        self.reached: dict[str, float] = {}
        self.traffic = showcase.served(self.market, by_match, SEARCHES, (101, BEGINS), self.rng())
        self.before = findings.accounts_of(self.case, self.traffic, self.rng())
        self._measure(by_match)

    @property
    def objective(self) -> str:
        """Return the name of the objective in force."""
        return self.case.loop.spec.objective.name

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
            self.trusts_vendor = False
        elif rule == "few_positives":
            self.collects = True
            self._declare(training={"imbalance": {"negatives": "40 per positive"}})
        elif rule == "stale_data":
            self.days = (self.today - 31, self.today - 1)
        elif rule == "pivot":
            self._pivot()

    def outcome(self) -> Mapping[str, float]:
        """Return what the first model in service and the last one bring, a thousand searches."""
        return self.reached

    def score(self, name: str) -> Score:
        """Return the score of the model of an objective."""
        model = self.models[name]
        return lambda found: fit.predict(self.case, model, found)

    def _declare(self, **changes: Any) -> None:
        """Change the declaration, as a person would change loop.yaml."""
        spec = self.case.loop.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
        merged = {key: {**spec[key], **part} for key, part in changes.items()}
        self.case = self.case.declared(spec | merged)

    def _pivot(self) -> None:
        """Make the alternative the objective, and the objective the alternative."""
        now = self.case.loop.spec
        spec = now.model_dump(mode="json", by_alias=True, exclude_none=True)
        (other,) = spec["business"]["alternatives"]
        spec["business"]["alternatives"], spec["objective"] = [spec["objective"]], other
        spec["training"]["imbalance"] = {}
        self.case = self.case.declared(spec)

    def _scoping(self) -> Finding:
        self._declare(business={"target": round(self.before.kpi.value, 2)})
        if self.objective == "ctr":
            return findings.scoping(self.case, self._labelled(), self.rng()).finding
        pilot = self._pilot()
        found = findings.scoping(self.case, pilot, self.rng())
        # Where the gain cannot be told yet, more is labelled before anything is built.
        for _ in range(MORE_PILOTS):
            if found.decides:
                break
            pilot = pd.concat([pilot, self._pilot()], ignore_index=True)
            found = findings.scoping(self.case, pilot, self.rng())
        return found.finding

    def _pilot(self) -> pd.DataFrame:
        return reviewers.test_set(self.market, self.days, self.rng())

    def _labelled(self) -> pd.DataFrame:
        """Return the labelled rows there are for the objective in force."""
        if self.objective == "ctr":
            shown = self.served[self.served["chosen"]]
            return shown.assign(positives=shown["clicked"])
        rows = reviewers.sampled(self.market, self.days, np.random.default_rng([self.seed, 2]))
        if not self.trusts_vendor:
            rows = rows.assign(positives=rows["truth"])
        if self.collects:
            rows = reviewers.with_listed(self.market, rows, self.days, self.rng())
        return rows

    def _data(self) -> Finding:
        self.rows = self._labelled()
        return findings.data(self.case, self.rows, self.today)

    def _tests(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Return the rows to fit on, to test on, and yesterday's, none of them in two."""
        if self.objective == "ctr":
            return findings.by_query(self.rows)
        last = self.days[1]
        old = reviewers.test_set(self.market, (last - 10, last), self.rng())
        yesterday = reviewers.test_set(self.market, (self.today - 1, self.today), self.rng())
        return self.rows, old, yesterday

    def _model(self) -> Finding:
        rows, self.old, self.yesterday = self._tests()
        name = self.case.loop.spec.training.estimators[0]
        self.models[self.objective] = fit.fit(self.case, name, rows)
        by_people = self.objective == "impressions" and self.trusts_vendor
        checked = rows if by_people else None
        return findings.model(
            self.case, self.models[self.objective], rows, self.old, self.rng(), checked
        )

    def _deployment(self) -> Finding:
        model, parts = self.models[self.objective], (self.rows, self.old, self.yesterday)
        return findings.deployment(self.case, model, parts, self.now, self.rng())

    def _measure(self, score: Score) -> None:
        """Note what the model brings, on searches that are the same in every run of the seed."""
        drawn = np.random.default_rng([self.seed, 3])
        searches = self.market.searches(SEARCHES, (150, 157), drawn)
        brought = showcase.expected(self.market, score, searches)
        if self.objective == "impressions":
            self.reached[IMPRESSIONS] = 1000 * brought["impressions"]
        self.reached[REVENUE] = 1000 * brought["revenue"]

    def _monitoring(self) -> Finding:
        self._measure(self.score(self.objective))
        self.served = self._week()
        return findings.monitoring(self.case, self.served, self.traffic, self.before)

    def _week(self) -> pd.DataFrame:
        """Return one more period of traffic, with what each objective would have chosen."""
        days = (self.today, self.today + 7)
        self.today += 7
        score = self.score(self.objective)
        found = showcase.served(self.market, score, SEARCHES, days, self.rng())
        return found.assign(objective=self.objective)

    def _business(self) -> Finding:
        """Review the periods one after another until one decides."""
        alternative = self.case.loop.spec.business.alternatives[0].name
        for _ in range(LONGEST_WATCH):
            known = self.models.get(alternative)
            found = findings.business(self.case, self.served, alternative, known, self.rng())
            if found.decides:
                break
            self.served = pd.concat([self.served, self._week()], ignore_index=True)
        return found.finding


def play(seed: int) -> AdsStory:
    """Return the story of one shop."""
    return AdsStory(seed)
