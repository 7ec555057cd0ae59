"""Replay: a stream through the whole loop, day by day, in the order in which things were known.

At each midnight: outcomes arrive, feature rows are computed from them and materialized, the
mature cohort is scored, the sidecar's windows are judged, causes are decided on (and perhaps a
model is trained and promoted). Then the day's requests are asked of whatever is in service.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pandas as pd

from driftloop import decisions
from driftloop.archive import Archive
from driftloop.cohorts import events, order, shadow
from driftloop.cohorts.scored import Cohorts
from driftloop.inference_log import InferenceLog
from driftloop.labels import outcomes
from driftloop.laptop.serving import Serving
from driftloop.laptop.unfolding import Unfolding
from driftloop.services.controller.controller import Controller
from driftloop.services.router import split
from driftloop.traffic import Traffic
from driftloop.usecase import UseCase
from driftloop_contracts import bundle, event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import RunFailed
from driftloop_contracts.inference import CATEGORY, CHOSEN
from driftloop_contracts.signature import ANYONE, Trusted

if TYPE_CHECKING:
    from driftloop.adapters.feast_repository import FeatureRepository

DAY = pd.Timedelta(days=1)
MAX_BATCH = 1000
"""Most rows in one request to the predictor."""
CALLS = 20
"""Calls that ask for a batch while two bundles serve: entities are split as finely as that."""
BATCHES_PER_DAY = 4
"""Requests within a day are grouped by time into at most this many calls (more when large)."""


@dataclass
class Served:
    """What was answered: for each request row probability, bundle's version and prediction_id.

    ``probabilities``: of each class, [rows, classes], where outcomes are classes (else no columns).
    """

    probability: np.ndarray[Any, np.dtype[np.float64]]
    version: np.ndarray[Any, np.dtype[np.object_]]
    prediction_id: np.ndarray[Any, np.dtype[np.object_]]
    probabilities: np.ndarray[Any, np.dtype[np.float64]]
    calls: int = 0
    flushed: int = 0
    cohorts: list[dict[str, Any]] = field(default_factory=list)


class Replay:
    """One stream, one loop, one controller; ``start`` is the first midnight that is served."""

    def __init__(
        self,
        usecase: UseCase,
        traffic: Traffic,
        start: pd.Timestamp,
        *,
        archive: Archive,
        features: FeatureRepository,
        serving: Serving,
        controller: Controller,
        inbox: queue.Queue[CloudEvent],
        scratch: Path,
        trusted: Trusted = ANYONE,
    ) -> None:
        self.usecase, self.traffic, self.start = usecase, traffic, start
        self.archive, self.features, self.serving = archive, features, serving
        self.log = InferenceLog.of(archive.store, usecase.loop)
        self.controller, self.inbox, self.scratch = controller, inbox, scratch
        self.trusted = trusted
        self.cohorts = Cohorts(usecase.loop, archive.store, trusted)
        self.unfolding = Unfolding(traffic)
        rows = len(traffic.requests)
        self.classes = usecase.loop.spec.objective.classes
        self.served = Served(
            np.full(rows, np.nan), np.full(rows, "", dtype=object), np.full(rows, "", dtype=object),
            np.full((rows, len(self.classes)), np.nan),
        )  # fmt: skip
        self._client = httpx.Client(timeout=60)
        self._scored_until = start

    def days(self) -> tuple[list[pd.Timestamp], list[pd.Timestamp]]:
        """Return the midnights of the warm-up and those of the days to serve."""
        event_times = self.traffic.requests["event_time"]
        first, last = event_times.iloc[0].floor("D"), event_times.iloc[-1].floor("D")
        return (
            list(pd.date_range(first, self.start, freq="D", inclusive="left")),
            list(pd.date_range(self.start, last, freq="D")),
        )

    def warm_up(self, days: list[pd.Timestamp], step: Callable[[], None]) -> None:
        """Archive the history, its outcomes and feature rows, as each day would have."""
        for day in days:
            self._learn(day)
            self._archive_requests(day)
            step()

    def begin(self) -> None:
        """Train and serve the first model from what is known at the start."""
        self._learn(self.start)
        self.features.apply(self.archive.feature_folder(self.scratch))
        self._materialize(self.start)
        self.controller.decide(decisions.Started(), _instant(self.start))
        if self.serving.pair is None:
            state = self.controller.ledger.retrainings(self.controller.loop.name)
            raise RunFailed(f"There is no first model. {' '.join(state[-1]['reasons'] or ())}")

    def run(self, days: list[pd.Timestamp], step: Callable[[], None]) -> None:
        """Serve the days in order, then close the books at the midnight after the last."""
        for day in days:
            if day != self.start:
                self._midnight(day)
                self.controller.decide(decisions.Ticked(), _instant(day))
            self._serve(day)
            step()
        self._midnight(days[-1] + DAY)

    def _midnight(self, now: pd.Timestamp) -> None:
        self._learn(now)
        self._materialize(now)
        # Windows first: they tell which of the cohort's records had broken features.
        for event in self._close_windows(now):
            self.controller.receive(event, _instant(now))
        self._score_cohort(now)
        self._judge_shadow(_instant(now))

    def _learn(self, now: pd.Timestamp) -> None:
        """Take the outcomes known by ``now``, archive them and compute the feature rows."""
        fresh, day = self.unfolding.advance(now), f"{now:%Y-%m-%d}"
        if len(fresh):
            self.archive.put("outcomes", day, self._reported(fresh))
        history = self.unfolding.labelled(now - self.usecase.loop.spec.training.window, now)
        if len(history):
            for view, rows in self.usecase.compute_features(history, now).items():
                self.archive.put_features(view, _instant(now), rows)

    def _materialize(self, now: pd.Timestamp) -> None:
        self.archive.feature_folder(self.scratch)
        first = None if now == self.start else _instant(now)
        self.features.materialize(first, _instant(now))

    def _reported(self, fresh: pd.DataFrame) -> pd.DataFrame:
        """Return outcomes as an application reports them: by the prediction's id."""
        ids = self.served.prediction_id[fresh["position"]]
        # What was asked before anything was served has no other name than its own.
        reports = fresh.assign(prediction_id=np.where(ids == "", fresh["row_id"], ids))
        reports["label"] = self.usecase.loop.spec.objective.label
        named: pd.DataFrame = reports.rename(columns={"positives": "value"})
        # A report on a class is of one answer, whatever its weight.
        told = {"value": 1.0} if self.classes else {}
        return named.assign(**told)[[*outcomes.COLUMNS, *([CATEGORY] if self.classes else [])]]

    def _archive_requests(self, day: pd.Timestamp) -> None:
        rows = self.traffic.requests.iloc[self.unfolding.between(day, day + DAY)]
        if len(rows):
            named = rows.rename(columns={"row_id": "prediction_id"})
            self.archive.put("requests", f"{day:%Y-%m-%d}", named)

    def _serve(self, day: pd.Timestamp) -> None:
        """Ask for the day's predictions in order of time."""
        span = self.unfolding.between(day, day + DAY)
        rows = self.traffic.requests.iloc[span]
        group = (rows["event_time"] - day) // (DAY / BATCHES_PER_DAY)
        for _, part in rows.groupby(group, sort=True):
            for first in range(0, len(part), MAX_BATCH):
                for entity, batch in self._calls(part.iloc[first : first + MAX_BATCH]):
                    self._ask(batch, span.start + (batch.index - rows.index[0]), entity)
            self.controller.look(_instant(part["event_time"].iloc[-1]))

    def _calls(self, batch: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
        """Return the calls that ask for a batch: one, or while two bundles serve several.

        A caller asks for one entity at a time; entities that lie close together go by one name.
        """
        if not self.serving.candidate:
            return [("", batch)]
        entities = batch[self.usecase.loop.spec.gate.entity].astype(str)
        places = entities.map(split.place)
        side = places < self.serving.shared
        groups = batch.groupby([side, (places * CALLS).astype(int)], sort=True)
        return [(str(entities[part.index[0]]), part) for _, part in groups]

    def _ask(self, batch: pd.DataFrame, positions: Any, entity: str) -> None:
        spec = self.usecase.loop.spec
        columns = [*spec.features.entities, *spec.features.names(origin="request"), "weight"]
        columns += [name for name in spec.business.propensities if name in batch]
        instances = batch[columns].astype(object).where(batch[columns].notna(), None)
        answer = self._client.post(
            f"{self.serving.url}/v1/models/{self.usecase.loop.name}:predict",
            json={"instances": instances.to_dict("records")},
            headers={
                "x-request-id": f"{self.usecase.loop.name}/{batch['row_id'].iloc[0]}",
                "driftloop-event-time": times.to_text(_instant(batch["event_time"].iloc[0])),
                split.HEADER: entity,
            },
        )
        if answer.status_code != 200:
            raise RunFailed(f"The predictor answered {answer.status_code}: {answer.text[:300]}")
        content = answer.json()
        self.served.probability[positions] = content["predictions"]
        if self.classes:
            self.served.probabilities[positions] = content["probabilities"]
        self.served.version[positions] = content["bundle_version"]
        self.served.prediction_id[positions] = content["prediction_ids"]
        self.served.calls += 1

    def _close_windows(self, now: pd.Timestamp) -> list[CloudEvent]:
        """Tell each sidecar that the day is over and return what they found, in order."""
        self.serving.flush()
        data = {"event_time": times.to_text(_instant(now))}
        source = f"/driftloop/{self.usecase.loop.name}/replay"
        identity = f"watermark/{data['event_time']}"
        mark = CloudEvent(identity, source, event_types.WATERMARK, _instant(now), data)
        headers, body = mark.to_http()
        events: list[CloudEvent] = []
        for pair in self.serving.pairs:
            answer = self._client.post(pair.sidecar.url, content=body, headers=headers)
            if answer.status_code != 200:
                raise RunFailed(f"The sidecar answered {answer.status_code}: {answer.text[:300]}")
            # The answer follows the delivery to the sink, so the inbox already holds the events.
            events += [self.inbox.get(timeout=30) for _ in answer.json()["events"]]
        # Those that only report come before the one that is decided on.
        return sorted(events, key=lambda e: (e.time, e.type == event_types.WINDOW_SCORED))

    def _score_cohort(self, now: pd.Timestamp) -> None:
        """Tell the numbers of the records whose label was decided since the last midnight."""
        assert self.serving.pair is not None
        first, last = _instant(self._scored_until), _instant(now)
        self._scored_until = now
        data = self.cohorts.between(first, last, self.serving.pair.version)
        if data:
            self.served.cohorts.append(data)
            self.controller.receive(events.scored(self.usecase.loop.name, last, data), last)

    def _judge_shadow(self, now: datetime) -> None:
        """Have the gate judge the bundle on its way, if there is one that nobody sees."""
        name = self.usecase.loop.name
        known = order.of(self.controller.ledger.state(name)[0])
        found = shadow.judged(self.usecase, self.archive.store, known, now, self.trusted)
        if found and known.rollout:
            self.controller.receive(events.judged(name, found, known.rollout, now), now)

    def predictions(self) -> pd.DataFrame:
        """Return what was served: row_id, event_time, probability and the bundle's version.

        Of classes also the one that was chosen.
        """
        asked = self.served.version != ""
        rows = self.traffic.requests.loc[asked, ["row_id", "event_time"]]
        probability, version = self.served.probability[asked], self.served.version[asked]
        served: pd.DataFrame = rows.assign(probability=probability, version=version.astype(str))
        if not self.classes:
            return served
        best = self.served.probabilities[asked].argmax(axis=1)
        return served.assign(**{CHOSEN: np.array(self.classes, dtype=object)[best]})

    def first_estimator(self) -> str:
        """Return the estimator of the first bundle, which the comparison fits throughout."""
        version = self.served.version[self.served.version != ""][0]
        key = bundle.key(self.usecase.loop.name, str(version), bundle.MANIFEST)
        return str(json.loads(self.archive.store.get(key))["facts"]["estimator"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _instant(time: pd.Timestamp) -> datetime:
    return time.to_pydatetime()
