"""Scored: the numbers of the records that became mature in a stretch of time, from the store."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from driftloop.archive import Archive
from driftloop.drift import concept
from driftloop.drift.concept import Watched
from driftloop.evaluation import cohort
from driftloop.inference_log import InferenceLog
from driftloop.loop import LearningLoop
from driftloop_contracts import bundle
from driftloop_contracts.object_store import ObjectStore
from driftloop_contracts.signature import Trusted


class Cohorts:
    """Reads one loop's inference log, archive and bundles in ``store``; each bundle once."""

    def __init__(self, loop: LearningLoop, store: ObjectStore, trusted: Trusted) -> None:
        self._loop, self._store, self._trusted = loop, store, trusted
        self._log, self._archive = InferenceLog.of(store, loop), Archive(store, loop.name)
        self._watched: dict[str, Watched | None] = {}

    def between(self, start: datetime, end: datetime, champion: str = "") -> dict[str, Any] | None:
        """Return the data of ``cohort.scored``: what became mature after ``start``, up to ``end``.

        ``champion``: whose records are compared with its concept; '': the newest record's bundle.
        None where no record became mature; raise BundleRefused for a bundle that does not verify.
        """
        loop, earliest = self._loop, cohort.since(self._loop, start)
        records = self._log.read(earliest, end, cohort.columns(loop))
        if records.empty:
            return None
        reports = self._archive.outcomes(earliest, end, loop.spec.objective.label)
        version = champion or str(records["bundle_version"].iloc[-1])
        return cohort.between(records, reports, loop, start, end, self._followed(version))

    def _followed(self, version: str) -> Watched | None:
        """Return the bundle, if its outcomes are followed."""
        if version not in self._watched:
            names = (bundle.OUTCOMES, bundle.SLICES)
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder)
                found = bundle.fetch(self._store, self._loop.name, version, target, self._trusted)
                files = {file: (target / file).read_bytes() for file in found.files}
            told = (files.get(name) for name in names)
            self._watched[version] = concept.watched(version, files[bundle.BASELINE], *told)
        return self._watched[version]
