"""Intake: takes other people's events, pairs them, and hands batches to the monitor."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from drift_sidecar.intake import kserve, seldon
from drift_sidecar.intake.columns import Layout
from drift_sidecar.intake.joining import Joining
from drift_sidecar.intake.logged_request import LoggedResponse, Reader
from drift_sidecar.intake.options import Options
from drift_sidecar.intake.payload import HEADER
from drift_sidecar.monitor import Foreign, Monitor
from driftloop_contracts import cloudevent, event_types, times
from driftloop_contracts.cloudevent import STRUCTURED
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.raw_event import RawEvent

OWN_TYPES = {*event_types.ALL, *kserve.TYPES}


class Intake:
    """One sidecar's intake; safe to share between threads.

    ``pod``: names this process's records in the log, unlike that of any process before it;
    ``clock`` counts seconds, ``now`` says the time of a request that does not say its own.
    """

    def __init__(
        self,
        monitor: Monitor,
        options: Options,
        pod: str,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.options = options
        self._now = now
        self._reader = Reader(monitor.loop, monitor.bundle, pod, monitor.kinds)
        self._layout = Layout(tuple(monitor.kinds), options.entity_keys)
        self._joining = Joining(monitor, options.pair_seconds, clock)
        self.counts = self._joining.counts
        self.tend, self.finish = self._joining.tend, self._joining.finish
        self.settle = self._joining.settle
        self.reject, self.status = self._joining.reject, self._joining.status

    def take(self, event: RawEvent, headers: Mapping[str, str]) -> bool:
        """Take an event of KServe's payload logger; return False for a repeated one.

        Raise InvalidInput or Foreign, and take nothing then; raise Busy when the pair is
        complete and waits for room.
        """
        self._check_service(event.attributes)
        said, key = headers.get(HEADER), (event.source, event.id)
        if event.type == kserve.REQUEST:
            instances = kserve.instances(event.data, self._layout, said)
            return self._joining.request(key, self._reader.request(instances, event.id, event.time))
        predictions = kserve.predictions(event.data, self.options.prediction, said)
        return self._joining.response(key, LoggedResponse(event.time, predictions))

    def is_seldon(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request is to be read as alibi-detect-server would."""
        ours = headers.get("ce-type") in OWN_TYPES
        return bool(self.options.protocol) and not (
            ours or cloudevent.content_type(headers) == STRUCTURED
        )

    def take_seldon(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Take a request as alibi-detect-server would; return False for a repeated event."""
        attributes = cloudevent.header_attributes(headers)
        if str(attributes.get("type", "")).endswith(".response"):
            raise InvalidInput("type", "an event", "a request's", attributes["type"])
        self._check_service(attributes)
        said = attributes.get("time")
        time = times.from_text(said) if said else self._now()
        event_id = attributes.get("id") or uuid.uuid4().hex
        found = seldon.instances(body, self.options.protocol, self._layout, headers.get(HEADER))
        request = self._reader.request(found, event_id, time)
        return self._joining.alone((attributes.get("source", ""), event_id), request)

    def _check_service(self, attributes: Mapping[str, Any]) -> None:
        wanted, named = self.options.inference_service, attributes.get("inferenceservicename")
        if wanted and named != wanted:
            raise Foreign(
                f"This sidecar watches the InferenceService {wanted}; the event is of "
                f"{str(named or 'none')[:80]!r}."
            )
