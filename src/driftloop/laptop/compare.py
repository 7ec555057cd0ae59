"""The comparison of a finished replay with other retraining policies, timed apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from driftloop.evaluation import comparison
from driftloop.evaluation.comparison import Policy
from driftloop.evaluation.loss import Floats
from driftloop.laptop.unfolding import Unfolding
from driftloop.traffic import Traffic
from driftloop.training import fit, target
from driftloop.training.target import Answers
from driftloop.usecase import UseCase
from driftloop_contracts.inference import CATEGORY


class Comparison:
    """Fits and scores policies over joined rows (features as Feast gives them)."""

    def __init__(
        self, usecase: UseCase, traffic: Traffic, joined: pd.DataFrame, estimator: str
    ) -> None:
        self.usecase, self.traffic, self.estimator = usecase, traffic, estimator
        self.joined = Traffic(joined, traffic.outcomes, traffic.rejected)
        final = Unfolding(traffic)
        final.advance(traffic.outcomes["known_time"].max())
        self.target, self.rows = target.of(usecase.loop), joined.assign(positives=final.positives)
        if final.category is not None:
            # A policy's prediction is then the probability of what came: all of the weight did.
            every = joined["weight"].where(self.rows["positives"].notna())
            self.rows = self.rows.assign(positives=every)
            self.rows[CATEGORY] = final.category

    def against(
        self, start: pd.Timestamp, served: Answers, fits: int, step: Callable[[], None]
    ) -> dict[str, Any]:
        """Return the losses and fits of all policies over the rows served from ``start``."""
        answered = ~np.isnan(served.prediction) & self.rows["positives"].notna().to_numpy()
        rows = self.rows[answered]
        end = rows["event_time"].max().floor("D") + pd.Timedelta(days=1)
        policies = {
            "never_retrained": self._replay(rows, [start], step),
            "driftloop": Policy(self.target.of_truth(_only(served, answered), rows), fits),
            "calendar": self._replay(rows, comparison.calendar(start, end, fits), step),
            "retrained_daily": self._replay(rows, comparison.daily(start, end), step),
        }
        return self._result(rows, policies)

    def _replay(
        self, rows: pd.DataFrame, times: list[pd.Timestamp], step: Callable[[], None]
    ) -> Policy:
        unfolding = Unfolding(self.joined)
        window = self.usecase.loop.spec.training.window

        def fit_at(time: pd.Timestamp) -> Any:
            unfolding.advance(time)
            step()
            return fit.fit(self.usecase, self.estimator, unfolding.labelled(time - window, time))

        def predict(model: Any, part: pd.DataFrame) -> Floats:
            return self.target.of_truth(fit.answers(self.usecase, model, part), part)

        return comparison.replay(rows, times, fit_at, predict)

    def _result(self, rows: pd.DataFrame, policies: dict[str, Policy]) -> dict[str, Any]:
        losses = {name: comparison.mean_loss(policy, rows) for name, policy in policies.items()}
        figures: dict[str, Any] = {
            name: {"log_loss": losses[name], "fits": policy.fits}
            for name, policy in policies.items()
        }
        difference = comparison.week_block_interval(
            policies["driftloop"], policies["calendar"], rows, np.random.default_rng(0)
        )
        return figures | {
            "estimator": self.estimator,
            "difference_to_calendar": difference._asdict(),
            "gain_captured": comparison.gain_captured(losses),
        }


def _only(served: Answers, rows: Any) -> Answers:
    whole = served.probabilities
    return Answers(served.prediction[rows], None, None if whole is None else whole[rows])
