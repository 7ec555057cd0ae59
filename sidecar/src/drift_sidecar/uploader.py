"""Uploader: brings sealed segments into the inference log, and goes on while the store fails."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

import pyarrow as pa

from drift_sidecar import segment
from drift_sidecar.inference_log import InferenceLog
from drift_sidecar.segment import Segment
from drift_sidecar.spool import Spool
from driftloop_contracts.errors import InvalidInput

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between tries; each pause is up to twice the one before."""


class Uploader:
    """Uploads one segment at a time, the oldest first; safe to share between threads."""

    def __init__(
        self,
        spool: Spool,
        log: InferenceLog,
        pause: Callable[[float], object] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.log, self.is_failing = log, False
        self._spool, self._pause, self._rng = spool, pause, rng or random.Random()
        self._lock = threading.Lock()

    def upload(self, until: int | None = None) -> None:
        """Upload what is sealed of windows that start before ``until``, or all.

        Raise StoreUnavailable, and keep in the spool what the log lacks.
        """
        with self._lock:
            for one in self._spool.waiting(until):
                if self._spool.claim(one):
                    self._upload(one)

    def run(self) -> None:
        """Upload whatever is sealed, for ever."""
        pause = FIRST_PAUSE
        while True:
            with self._spool.sealed:
                self._spool.sealed.wait_for(self._spool.waiting)
            try:
                self.upload()
                pause, self.is_failing = FIRST_PAUSE, False
            except Exception as error:  # the thread must outlive whatever one try meets
                logger.warning("%s Trying again.", error)
                self.is_failing = True
                self._pause(pause * self._rng.uniform(0.5, 1.0))
                pause = min(2 * pause, LONGEST_PAUSE)

    def _upload(self, one: Segment) -> None:
        is_logged = False
        try:
            self.log.write(one.start, one.number, segment.rows(one.path))
            is_logged = True
        except (pa.ArrowException, InvalidInput) as error:
            logger.error("Segment %s cannot be written: %s", one.number, error)
            self._spool.give_up(one, "unwritable")
        finally:
            self._spool.release(one, is_logged)
