"""The training pipeline's steps: read artifacts, call a core, write artifacts.

Each function is the body of one component in components/. Heavy libraries are imported by the
step that needs them, since a step is a process and pays for its imports.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from driftloop import batches, clock, parquet, provenance, usecase
from driftloop.archive import Archive
from driftloop.data.contract import Judged
from driftloop.inference_log import InferenceLog
from driftloop.training import carried, declared, outcome, promises, streamed_steps
from driftloop.training import order as orders
from driftloop.training import rows as training_rows
from driftloop.training.order import Order
from driftloop.training.streamed_steps import Drawn
from driftloop.usecase import UseCase
from driftloop_contracts import bundle as contract
from driftloop_contracts import signature, times
from driftloop_contracts.drift.finding import PREDICTION_NAME
from driftloop_contracts.errors import RunFailed
from driftloop_contracts.object_store import ObjectStore, open_store

Facts = dict[str, Any]

PARITY = timedelta(hours=24)
"""How much of the newest that was served is compared with what is joined, before a training."""


def ingest(loop: str, store: str, order: str, rows: str) -> Facts:
    """Write the window's rows whose label is mature, as known at the cut-off, to ``rows``."""
    case, work = _open(loop, order)
    archive, log = _archive(case, store)
    if case.loop.spec.training.memory:
        return streamed_steps.ingest(case.loop, archive, log, work.cutoff, Path(rows))
    found = training_rows.ingest(archive, log, case.loop, work.cutoff)
    _write(rows, found.rows)
    impressions = float(found.rows["weight"].sum())
    return {"rows": len(found.rows), "impressions": impressions} | found.coverage.to_data()


def validate(loop: str, store: str, order: str, rows: str, valid: str) -> Facts:
    """Write the rows that keep the contract and are not quarantined to ``valid``.

    Return counts, and where the rows' source has a contract what each of its promises comes to.
    Where it is broken and stops the run, leave that as the verdict and raise RunFailed.
    """
    case, work = _open(loop, order)
    if case.loop.spec.training.memory:
        told, found = streamed_steps.validate(case, work, Path(rows), Path(valid))
        return told | _kept(case, store, work, found)
    everything = _read(rows)
    fresh = training_rows.without(everything, work.quarantine)
    checked = promises.check(fresh, case.loop, work)
    promised = _kept(case, store, work, checked)
    kept = checked.good if checked else fresh
    good, bad = training_rows.validate(
        kept, case.loop, checked.rejected["reason"] if checked else None
    )
    _write(valid, good)
    rejected = len(bad) + len(fresh) - len(kept)
    told = {"rows": len(good), "rejected": rejected, "quarantined": len(everything) - len(fresh)}
    return told | promised


def _kept(case: UseCase, store: str, work: Order, found: Judged | None) -> Facts:
    """Return what a contract comes to; where that stops the run, leave the verdict and raise."""
    if found is None:
        return {}
    if stop := promises.stopping(found, case.loop):
        _store(store).put(*outcome.failed(case.loop.name, work.name, stop))
        raise RunFailed(stop.reason)
    back = found.returned()
    told: Facts = {"contract": found.to_data()}
    told |= {carried.WARNINGS: [one.sentence for one in found.broken]} if back else {}
    return told | ({carried.KEY: [back.to_data()]} if back else {})


def build_features(loop: str, store: str, order: str, valid: str, joined: str) -> Facts:
    """Write the rows with their point-in-time features to ``joined``.

    Before that, what was served of late must be what is joined for the same instants; raise
    RunFailed where more than ``features.maxMismatched`` of a feature's values differ.
    """
    from driftloop import parity_check
    from driftloop.adapters.feast_repository import FeatureRepository

    case, work = _open(loop, order)
    archive, log = _archive(case, store)
    with tempfile.TemporaryDirectory() as scratch:
        memory = case.loop.spec.training.memory
        repository = FeatureRepository(case, Path(scratch), registry=_registry(), memory=memory)
        repository.apply(archive.feature_folder(Path(scratch) / "offline"), _published(archive))
        checked = parity_check.latest(log, repository, PARITY, work.cutoff)
        checked.require(case.loop.spec.features.max_mismatched)
        if memory:
            count = streamed_steps.join(repository, case.loop, Path(valid), Path(joined))
            return {"rows": count, "parity": checked.to_data()}
        frame = repository.historical(_read(valid))
    _write(joined, frame)
    return {"rows": len(frame), "parity": checked.to_data()}


def materialize(loop: str, store: str, until: str) -> Facts:
    """Copy the newest feature values up to ``until`` ('': now) to the online store."""
    from driftloop.adapters.feast_repository import FeatureRepository

    case = usecase.find(loop)
    archive = Archive(_store(store), case.loop.name)
    end = times.from_text(until, "until", "the pipeline's parameters") if until else clock.now()
    with tempfile.TemporaryDirectory() as scratch:
        online = os.environ.get("DRIFTLOOP_ONLINE_STORE", "")
        repository = FeatureRepository(case, Path(scratch), online, _registry())
        repository.apply(archive.feature_folder(Path(scratch) / "offline"), _published(archive))
        repository.materialize(None, end)
    return {"loop": case.loop.name, "until": times.to_text(end)}


def train(loop: str, order: str, joined: str, candidate: str, release: str) -> Facts:
    """Write the judged model to ``candidate`` and the model to release to ``release``."""
    from driftloop.bundle import model_file
    from driftloop.training import fit, streamed

    case, work = _open(loop, order)
    memory = case.loop.spec.training.memory
    if memory:
        choice = streamed.choose(case, batches.Rows(Path(joined)), work.onset, memory)
    else:
        choice = fit.choose(case, _read(joined), work.onset)
    Path(candidate).write_bytes(model_file.dump(choice.candidate))
    Path(release).write_bytes(model_file.dump(choice.release))
    start = choice.holdout_start.isoformat()
    searched = {name: one.to_data() for name, one in choice.searches.items()}
    return {
        "estimator": choice.estimator,
        "parameters": dict(choice.parameters),
        "scores": choice.scores,
        "searches": searched,
        "holdout_start": start,
    }


def evaluate(
    loop: str,
    store: str,
    order: str,
    joined: str,
    models: dict[str, str],
    facts: Facts,
    scored: str,
) -> Facts:
    """Write each held-out row's loss under candidate, release and champion to ``scored``.

    ``models``: the paths 'candidate' and 'release'; ``facts``: what train returned. Return the
    metrics, whether the champion came from another declaration (``changed``), the analysis, what a
    person is warned of (``warnings``) and what sends the loop back (``returned``).
    """
    from driftloop.evaluation import scoring
    from driftloop.training import evaluated, target

    case, work = _open(loop, order)
    changed, start = False, pd.Timestamp(facts["holdout_start"])
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: Path(path) for name, path in models.items()}
        if work.champion:
            champion = _champion(case, work, store, Path(scratch))
            changed = declared.differs(champion.facts, case.loop)
            paths["champion"] = Path(scratch) / contract.MODEL
        if case.loop.spec.training.memory:
            told = streamed_steps.evaluate(case, work, Path(joined), paths, start, Path(scored))
            return {"changed": changed, "streamed": True} | told
        frame = _read(joined)
        is_late = frame["event_time"] >= start
        early, late = frame[~is_late], frame[is_late]
        loaded = scoring.load(paths)
    losses = scoring.of_loaded(case, late, loaded, target.of(case.loop).base(early))
    _write(scored, losses)
    found = evaluated.facts(case, work, (early, late), losses, loaded["candidate"], facts)
    return {"changed": changed} | found


def package(loop: str, store: str, order: str, paths: dict[str, str], facts: Facts) -> Facts:
    """Write the bundle to the object store and return its version, what it costs and ``changed``.

    ``paths``: of the rows 'joined' and 'scored' and of the model 'release'; ``facts``: what the
    steps before returned.
    """
    from driftloop.bundle import cost, model_file, packing
    from driftloop.drift import calibration, concept, slices

    case, work = _open(loop, order)
    release, rng = Path(paths["release"]), np.random.default_rng(work.number)
    found = _packed_rows(case, model_file.load(release), paths, rng)
    sample, latest = found.sample, found.latest
    reference, baseline = calibration.build(
        sample,
        case.loop,
        work.onset,
        rng,
        sample[PREDICTION_NAME].to_numpy("float64"),
        latest if found.thinned else None,
        found.unseen,
    )
    files = {
        contract.MODEL: release.read_bytes(),
        contract.REFERENCE: parquet.dump(reference),
        contract.BASELINE: baseline.to_json(),
        **found.files,
    }
    answers = latest[PREDICTION_NAME].to_numpy("float64")
    held_out = found.held_out, latest, answers, case.loop
    if known := concept.build(*held_out):
        files[contract.OUTCOMES] = known.to_json()
    if parts := concept.build_slices(*held_out):
        files[contract.SLICES] = slices.to_json(parts)
    manifest = packing.write(
        _store(store),
        case.loop.name,
        work.number,
        found.span[1].to_pydatetime(),
        files=files,
        facts=facts | _provenance(case, work, found),
        signing_key=os.environ.get(signature.SIGNING_KEY, ""),
    )
    taken = cost.measure(case, release, sample, sum(map(len, files.values())))
    packed = {
        "version": manifest.version,
        "data_end": manifest.data_end,
        "cost": taken.to_data(),
        "changed": facts["changed"],
        "warnings": facts.get("warnings", []),
    }
    return carried.onward(packed, facts)


def _packed_rows(
    case: UseCase, model: Any, paths: dict[str, str], rng: np.random.Generator
) -> Drawn:
    from driftloop.training import fit, served

    if case.loop.spec.training.memory:
        return streamed_steps.drawn(case, model, Path(paths["joined"]), Path(paths["scored"]), rng)
    rows, scored = _read(paths["joined"]), _read(paths["scored"])
    answers = fit.answers(case, model, rows)
    told = served.of(rows, answers, scored, case.loop)
    rows = told.rows.assign(**{PREDICTION_NAME: answers.prediction})
    times = rows["event_time"]
    span = times.min(), times.max()
    return Drawn(rows, rows, scored, False, len(rows), span, told.held_out, told.files)


def gate(loop: str, store: str, order: str, scored: str, bundle: Facts) -> str:
    """Write the verdict with its reasons beside the Retraining's name and return it."""
    from driftloop.evaluation import gate as core
    from driftloop.evaluation import shadow
    from driftloop.features import logged

    case, work = _open(loop, order)
    rng = np.random.default_rng(work.number)
    columns = tuple(logged.judged(case.loop.spec.features))
    streams = case.loop.spec.training.memory
    rows = streamed_steps.judged(Path(scored), case.loop, rng) if streams else _read(scored)
    evidence = core.Evidence(rows, columns, bundle.get("cost", {}))
    cause = f"{work.cause}+changed" if bundle.get("changed") else work.cause
    judged = core.judge(evidence, case.loop.spec.gate, cause, rng)
    needed = shadow.rows_needed(len(rows), judged.lacking, case.loop.spec.gate, 0)
    record = {
        "retraining": work.name,
        "cutoff": times.to_text(work.cutoff),
        "verdict": judged.verdict,
        "cause": cause,
        "needed": needed if judged.verdict == core.HOLD else 0,
        "reasons": list(judged.reasons),
        **judged.summary(),
        **bundle,
    }
    _store(store).put(outcome.key(case.loop.name, work.name), json.dumps(record).encode())
    return judged.verdict


def _open(loop: str, order: str) -> tuple[UseCase, Order]:
    case = usecase.find(loop)
    work = orders.parse(case.loop.name, order, clock.now())
    return case if work.spec is None else case.declared(work.spec), work


def _archive(case: UseCase, store: str) -> tuple[Archive, InferenceLog]:
    opened = _store(store)
    return Archive(opened, case.loop.name), InferenceLog.of(opened, case.loop)


def _store(uri: str) -> ObjectStore:
    return open_store(uri or os.environ["DRIFTLOOP_STORE"])


def _registry() -> str:
    return os.environ.get("DRIFTLOOP_REGISTRY", "")


def _published(archive: Archive) -> str:
    """Return the address of the loop's feature rows, which a shared registry keeps."""
    return f"{archive.store.uri}/features/{archive.loop_name}"


def _champion(case: UseCase, work: Order, store: str, scratch: Path) -> contract.Manifest:
    trusted = signature.trusted(os.environ)
    return contract.fetch(_store(store), case.loop.name, work.champion, scratch, trusted)


def _provenance(case: UseCase, work: Order, found: Drawn) -> Facts:
    from importlib.metadata import version

    return {
        "retraining": work.name,
        "cause": work.cause,
        **declared.facts(case.loop),
        "training_window": [str(instant) for instant in found.span],
        "rows": found.count,
        # Only a cluster's order has a spec, and its steps run in the image that it names.
        "made_by": provenance.of(os.environ, case.loop.spec.image if work.spec else ""),
        "libraries": {name: version(name) for name in ("scikit-learn", "skops", "numpy")},
    }


def _read(path: str) -> pd.DataFrame:
    return parquet.load(Path(path).read_bytes())


def _write(path: str, frame: pd.DataFrame) -> None:
    Path(path).write_bytes(parquet.dump(frame))
