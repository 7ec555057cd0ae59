"""The bundle's model as KServe serves it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from kserve import InferOutput, InferRequest, InferResponse, Model
from kserve.errors import InvalidInput as BadRequest

from driftloop.adapters.feast_repository import FeatureRepository, Served
from driftloop.features import logged
from driftloop.services.predictor import chosen, metrics, payload
from driftloop.services.predictor.chosen import Chosen
from driftloop.services.predictor.counters import Counters
from driftloop.services.predictor.record import Record
from driftloop.services.predictor.recorder import Recorder
from driftloop.training import fit
from driftloop.training.target import Answers
from driftloop.usecase import UseCase
from driftloop_contracts import inference, times
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.text import Vocabulary

REQUEST_ID = "x-request-id"
EVENT_TIME = "driftloop-event-time"


class BundleModel(Model):  # type: ignore[misc] # kserve ships no types
    """Looks features up, predicts, answers, and leaves a record behind.

    ``now`` gives the event's time where the request may not; ``replay`` lets it; ``vocabularies``:
    the bundle's, of each text column; ``propensities``: those that are logged.
    """

    def __init__(
        self,
        usecase: UseCase,
        version: str,
        estimator: Any,
        repository: FeatureRepository,
        recorder: Recorder,
        counters: Counters,
        *,
        pod_uid: str,
        now: Callable[[], datetime],
        replay: bool,
        vocabularies: Mapping[str, Vocabulary] | None = None,
        propensities: Sequence[str] = (),
    ) -> None:
        super().__init__(usecase.loop.name)
        self.usecase, self.version, self.estimator = usecase, version, estimator
        self.repository, self.recorder = repository, recorder
        self.pod_uid, self.now, self.replay = pod_uid, now, replay
        self.counters, self.vocabularies = counters, vocabularies or {}
        self.propensities = tuple(propensities)
        self.ready = True

    async def predict(
        self, body: Any, headers: dict[str, str] | None = None, _: Any = None
    ) -> dict[str, Any] | InferResponse:
        """Answer a V1 body or a V2 request; what is wrong with it is a 400 with a sentence."""
        began, headers = time.perf_counter(), headers or {}
        v2 = isinstance(body, InferRequest)
        try:
            rows = self._rows(body)
            event_time = self._event_time(headers)
        except InvalidInput as error:
            raise BadRequest(str(error)) from error
        request_id = headers.get(REQUEST_ID) or (v2 and body.id) or uuid.uuid4().hex
        # In a thread, so that the event loop answers health checks while a batch computes.
        try:
            served, answers, derived = await asyncio.to_thread(self._compute, rows, event_time)
        except InvalidInput as error:  # A feature is absent without which the loop refuses.
            raise BadRequest(str(error)) from error
        predictions: list[float] = answers.prediction.tolist()
        ids = [inference.prediction_id(request_id, index) for index in range(len(rows))]
        elapsed = (time.perf_counter() - began) * 1000
        self._record(event_time, elapsed, ids, served, answers, derived)
        self.counters.answered(elapsed, predictions)
        told = chosen.of(answers, self.usecase.loop.spec.charter.costs)
        if v2:
            return self._v2(request_id, ids, predictions, served.absent, told)
        answer = {"predictions": predictions, "prediction_ids": ids}
        answer |= {"bundle_version": self.version} | (told.to_v1() if told else {})
        return answer | ({"absent_features": served.absent} if any(served.absent) else {})

    def _rows(self, body: Any) -> pd.DataFrame:
        features = self.usecase.loop.spec.features
        if isinstance(body, InferRequest):
            return payload.from_v2(body.inputs, features, self.propensities)
        return payload.from_v1(body, features, self.propensities)

    def _event_time(self, headers: dict[str, str]) -> datetime:
        if self.replay and EVENT_TIME in headers:
            return times.from_text(headers[EVENT_TIME], EVENT_TIME, "the request's headers")
        return self.now()

    def _compute(self, rows: pd.DataFrame, now: datetime) -> tuple[Served, Answers, dict[str, Any]]:
        features = self.usecase.loop.spec.features
        served = self.repository.online(rows, now)
        metrics.count(served.found)
        metrics.count_texts(rows, features.names("text"))
        answers = fit.answers(self.usecase, self.estimator, served.rows)
        return served, answers, logged.derived(served.rows, features, self.vocabularies)

    def _record(
        self,
        event_time: datetime,
        latency_ms: float,
        ids: list[str],
        served: Served,
        answers: Answers,
        derived: dict[str, Any],
    ) -> None:
        features, frame = self.usecase.loop.spec.features, served.rows
        keys = {name: frame[name].to_numpy() for name in features.entities}
        columns = (*features.names(origin="request"), *self.propensities)
        asked = {name: frame[name].to_numpy() for name in columns}
        said = {} if answers.chosen is None else {inference.CHOSEN: answers.chosen}
        record = Record(
            first_seq=self.recorder.next_seq(len(ids)),
            event_time=event_time,
            latency_ms=latency_ms,
            ids=ids,
            keys=keys,
            features=asked | served.columns | derived | said,
            times=served.found.times,
            predictions=answers.prediction.tolist(),
            weights=frame["weight"].to_numpy(),
        )
        self.recorder.put(record)

    def _v2(
        self,
        request_id: str,
        ids: list[str],
        predictions: list[float],
        absent: list[list[str]],
        told: Chosen | None,
    ) -> InferResponse:
        shape = [len(ids)]
        outputs = [
            InferOutput("prediction", shape, "FP64", data=predictions),
            InferOutput("prediction_id", shape, "BYTES", data=ids),
        ]
        if told:
            outputs += [InferOutput(*one) for one in told.to_v2()]
        if any(absent):
            names = [",".join(features) for features in absent]
            outputs.append(InferOutput("absent_features", shape, "BYTES", data=names))
        return InferResponse(request_id, self.name, outputs, model_version=self.version)
