"""The pipeline's steps within a set memory do what the steps in memory do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from driftloop import batches, parquet, usecase
from driftloop.archive import Archive
from driftloop.inference_log import InferenceLog
from driftloop.loop import LearningLoop, parse
from driftloop.training import (
    descent,
    outcome,
    steps,
    streamed,
    streamed_ingest,
    streamed_steps,
)
from driftloop.training import rows as training_rows
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput, RunFailed
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[3]
FIRST = pd.Timestamp("2026-01-01T00:00:00Z")
DAY = pd.Timedelta(days=1)
DAYS, A_DAY = 10, 300
CUTOFF = FIRST + (DAYS + 2) * DAY
ORDER = json.dumps({"number": 1, "cutoff": f"{CUTOFF:%Y-%m-%dT%H:%M:%SZ}"})


@pytest.fixture
def content() -> dict[str, Any]:
    """The ads' loop, its estimator one that learns in batches."""
    found = yaml.safe_load((ROOT / "usecases" / "ads_ctr" / "loop.yaml").read_text())
    found["spec"]["training"] |= {"estimators": ["hashed_linear"], "memory": "1GiB"}
    del found["spec"]["data"]["sources"][0]["contract"]  # Of other values than these rows have.
    return found


@pytest.fixture
def case(content: dict[str, Any]) -> UseCase:
    return UseCase("ads_ctr", ROOT / "usecases" / "ads_ctr", parse(content, "loop.yaml"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, case: UseCase) -> None:
    """Batches smaller than the rows, few steps, and the fixture's loop where one is asked for."""
    monkeypatch.setattr(batches.Rows.read, "__defaults__", (None, 700))
    monkeypatch.setattr(descent, "STEPS", 20_000)
    monkeypatch.setattr(usecase, "find", lambda name: case)


def asked(loop: LearningLoop, seed: int = 0, rows: int = DAYS * A_DAY) -> pd.DataFrame:
    """Return requests in order of time with all columns that a caller sends."""
    rng = np.random.default_rng(seed)
    days = np.sort(rng.random(rows) * DAYS)
    frame = pd.DataFrame({"prediction_id": [f"p{n}" for n in range(rows)]})
    frame["event_time"] = (FIRST + pd.to_timedelta(days, unit="D")).as_unit("us")
    frame["weight"] = 1.0
    for name in loop.spec.features.entities:
        frame[name] = rng.integers(0, 200, rows)
    for column in loop.spec.features.columns:
        if column.kind == "categorical":
            frame[column.name] = rng.choice(np.array(["a", "b", "c"], object), rows)
        else:
            frame[column.name] = rng.random(rows)
    return frame


def labelled(loop: LearningLoop, seed: int = 0) -> pd.DataFrame:
    rows = asked(loop, seed)
    return rows.assign(positives=(np.random.default_rng(1).random(len(rows)) < 0.3).astype(float))


def written(path: Path, frame: pd.DataFrame) -> Path:
    path.write_bytes(parquet.dump(frame))
    return path


def test_a_memory_that_no_step_can_keep_is_refused(content: dict[str, Any]) -> None:
    for memory, message in (("64MiB", "at least 768MiB"), ("2GB", "KiB, MiB or GiB")):
        content["spec"]["training"]["memory"] = memory
        with pytest.raises(InvalidInput, match=message):
            parse(content, "loop.yaml")


def test_an_estimator_that_needs_all_rows_is_refused(
    content: dict[str, Any], case: UseCase, tmp_path: Path
) -> None:
    path = written(tmp_path / "joined", labelled(case.loop))
    with pytest.raises(InvalidInput, match="learn in batches"):
        streamed.fitted(case, "logistic", batches.Rows(path), 1 << 30)


@pytest.mark.parametrize("parts", [1, 5])
def test_ingest_joins_what_it_joins_in_memory(
    case: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: int
) -> None:
    """Late outcomes, corrections, copies, orphans, and records logged by a predictor as well."""
    loop, archive = case.loop, Archive(FileStore(tmp_path / "store"), case.loop.name)
    log, rng = InferenceLog.of(archive.store, loop), np.random.default_rng(3)
    names = [n for n in training_rows.wanted(loop) if n != "stands_for"]
    records = asked(loop)[names]
    told = records[["prediction_id", "event_time"]].assign(label=loop.spec.objective.label)
    told["value"] = (rng.random(len(told)) < 0.3).astype(float)
    told["known_time"] = told["event_time"] + pd.to_timedelta(rng.random(len(told)) * 72, unit="h")
    told["revision"] = 0
    again = told.sample(400, random_state=1).assign(value=1.0, revision=1)
    again["known_time"] += DAY
    told = pd.concat([told.iloc[200:], again, again.head(50)], ignore_index=True)
    told.loc[:9, "prediction_id"] = "of nobody"
    days = records["event_time"].dt.strftime("%Y-%m-%d")
    for day, some in records.groupby(days):
        half = len(some) // 2
        archive.put("requests", str(day), some.iloc[: half + 10])
        key = f"inference/{loop.name}/date={day}/hour=00/1.parquet"
        archive.store.put(key, parquet.dump(some.iloc[half:].assign(prediction=0.5)))
    for day, some in told.groupby(told["known_time"].dt.strftime("%Y-%m-%d")):
        archive.put("outcomes", str(day), some)
    whole = training_rows.ingest(archive, log, loop, CUTOFF.to_pydatetime())
    monkeypatch.setattr(streamed_ingest.Ingest, "_parts", lambda *_: parts)
    cutoff, target = CUTOFF.to_pydatetime(), tmp_path / "rows"
    found = streamed_steps.ingest(loop, archive, log, cutoff, target)
    rows = parquet.load(target.read_bytes())
    expected = whole.rows.sort_values(["event_time", "prediction_id"], ignore_index=True)
    pd.testing.assert_frame_equal(rows[list(expected)], expected)
    assert set(rows) == set(expected)
    coverage = whole.coverage.to_data()
    assert {name: found[name] for name in coverage} == coverage
    assert found["impressions"] == expected["weight"].sum()


def test_validate_sets_the_same_rows_aside(case: UseCase, tmp_path: Path) -> None:
    rows = labelled(case.loop)
    rows.loc[[5, 2000], "positives"] = -1.0
    path = written(tmp_path / "rows", rows)
    told = steps.validate("ads-ctr", "", ORDER, str(path), str(tmp_path / "valid"))
    good, bad = training_rows.validate(rows, case.loop)
    counts = {"rows": len(good), "rejected": len(bad), "quarantined": 0}
    assert {name: told[name] for name in counts} == counts
    pd.testing.assert_frame_equal(parquet.load((tmp_path / "valid").read_bytes()), good)


def test_bad_rows_are_counted_over_all_batches(case: UseCase, tmp_path: Path) -> None:
    rows = labelled(case.loop)
    rows.loc[rows.index[::50], "positives"] = -1.0
    path = written(tmp_path / "rows", rows)
    with pytest.raises(InvalidInput, match=r"2.0%, mostly: label outside"):
        steps.validate("ads-ctr", "", ORDER, str(path), str(tmp_path / "valid"))


def contracted(content: dict[str, Any], **changed: Any) -> UseCase:
    first = content["spec"]["data"]["sources"][0]
    kinds = {"prediction_id": "categorical", "event_time": "time", "discount": "numeric"}
    names = [{"name": name, "kind": kind} for name, kind in kinds.items()]
    volume = {"days": 5, "factor": 2, "falseAlarms": "1 per 30d"}
    device = {"name": "device", "kind": "categorical", "values": ["a", "b", "c"]}
    promised = {"columns": [*names, device], "key": ["prediction_id"], "volume": volume}
    first["contract"] = promised | {"freshness": "2d", "maxBad": "20%"} | changed
    content["spec"]["data"]["maxRejected"] = "30%"
    return UseCase("ads_ctr", ROOT / "usecases" / "ads_ctr", parse(content, "loop.yaml"))


def test_a_contract_is_checked_as_in_memory(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a wrong device, one gap, an id that is there twice, and a last day of few rows."""
    case = contracted(content)
    rows = labelled(case.loop)
    late = rows["event_time"] >= FIRST + (DAYS - 1) * DAY
    rows = rows[~late | (np.arange(len(rows)) % 10 == 0)].reset_index(drop=True)
    rows.loc[[3, 1500], "device"] = "fridge"
    rows.loc[7, "discount"] = None
    rows.loc[11, "prediction_id"] = rows.loc[10, "prediction_id"]
    end = FIRST + DAYS * DAY + case.loop.spec.label_source.maturity
    order = json.dumps({"number": 1, "cutoff": f"{end:%Y-%m-%dT%H:%M:%SZ}"})
    path = written(tmp_path / "rows", rows)
    found = []
    for memory in ("1GiB", None):
        content["spec"]["training"]["memory"] = memory
        own = UseCase("ads_ctr", case.folder, parse(content, "loop.yaml"))
        monkeypatch.setattr(usecase, "find", lambda name, own=own: own)
        paths = str(path), str(tmp_path / f"valid-{memory}")
        found.append(steps.validate("ads-ctr", str(tmp_path / "store"), order, *paths))
    assert found[0] == found[1]
    rules = {one["rule"] for one in found[0]["contract"]["findings"] if one["broken"]}
    assert rules == {"missing", "volume"}
    assert found[0]["rejected"] == 3
    assert [one["rule"] for one in found[0]["returned"]] == ["contract_broken"]
    streamed_rows, held = (parquet.load(path.read_bytes()) for path in tmp_path.glob("valid-*"))
    pd.testing.assert_frame_equal(streamed_rows, held)


def test_a_contract_stops_a_streamed_training_and_says_why(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = contracted(content, onBreak="stop")
    monkeypatch.setattr(usecase, "find", lambda name: case)
    path = written(tmp_path / "rows", labelled(case.loop).assign(device="fridge"))
    store = FileStore(tmp_path / "store")
    with pytest.raises(RunFailed, match="are set aside"):
        steps.validate("ads-ctr", store.uri, ORDER, str(path), str(tmp_path / "valid"))
    left = outcome.read(store.get(outcome.key("ads-ctr", "ads-ctr-1")))
    assert left.verdict == "failed"
    assert [one.rule for one in left.returned] == ["contract_broken"]


def test_a_streamed_training_warns_of_old_data_and_too_few_positives(
    case: UseCase, tmp_path: Path
) -> None:
    frame = labelled(case.loop)
    frame["positives"] = (np.arange(len(frame)) % 400 == 0).astype(float)
    path = {n: str(tmp_path / n) for n in ("joined", "candidate", "release", "scored")}
    written(tmp_path / "joined", frame)
    facts = steps.train("ads-ctr", ORDER, path["joined"], path["candidate"], path["release"])
    models = {name: path[name] for name in ("candidate", "release")}
    late = CUTOFF + 2 * case.loop.spec.retrain.max_age
    order = json.dumps({"number": 1, "cutoff": f"{late:%Y-%m-%dT%H:%M:%SZ}"})
    own = ("ads-ctr", str(tmp_path / "store"), order, path["joined"], models, facts)
    told = steps.evaluate(*own, path["scored"])
    assert {one["rule"] for one in told["returned"]} == {"few_positives", "stale_data"}
    assert any("The newest training row is of" in one for one in told["warnings"])


def test_from_train_to_gate(case: UseCase, tmp_path: Path) -> None:
    """The bundle is as in memory, for no row had to be left out; the same rows make it again."""
    frame = labelled(case.loop)
    path = {n: str(tmp_path / n) for n in ("joined", "candidate", "release", "scored", "again")}
    written(tmp_path / "joined", frame)
    own, models = ("ads-ctr", str(tmp_path / "store"), ORDER), [path["candidate"], path["release"]]
    facts = steps.train("ads-ctr", ORDER, path["joined"], *models)
    files = {name: path[name] for name in ("candidate", "release")}
    told = steps.evaluate(*own, path["joined"], files, facts, path["scored"])
    assert told["metrics"]["candidate_loss"] == pytest.approx(facts["scores"]["hashed_linear"])
    paths = {name: path[name] for name in ("joined", "release", "scored")}
    bundle = steps.package(*own, paths, facts | told)
    assert steps.gate(*own, path["scored"], bundle) in ("promote", "hold", "reject")
    held = case.loop.spec.training.model_copy(update={"memory": None})
    spec = case.loop.spec.model_copy(update={"training": held})
    object.__setattr__(case, "loop", case.loop.model_copy(update={"spec": spec}))
    again = steps.train("ads-ctr", ORDER, path["joined"], *models)
    assert again["holdout_start"] == facts["holdout_start"]
    assert again["scores"]["hashed_linear"] == pytest.approx(facts["scores"]["hashed_linear"])
    same = steps.evaluate(*own, path["joined"], files, facts, path["scored"])
    backs = [one for one in same["returned"] if one["rule"] in ("few_positives", "stale_data")]
    assert (told["warnings"], told["returned"]) == (same["warnings"], backs)
    shared = {name: same["metrics"][name] for name in told["metrics"]}
    assert shared == pytest.approx(told["metrics"])
    assert steps.package(*own, paths, facts | told)["version"] == bundle["version"]


def test_the_gate_draws_whole_entities_where_rows_are_too_many(
    case: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = labelled(case.loop)
    path, entity = written(tmp_path / "scored", frame), case.loop.spec.gate.entity
    monkeypatch.setattr(batches, "ROWS", 1)
    monkeypatch.setattr(streamed_steps, "JUDGED_BYTES", (1 << 30) * 2 // len(frame))
    seeds = map(np.random.default_rng, range(20))
    every = [streamed_steps.judged(path, case.loop, rng) for rng in seeds]
    for drawn in every:
        assert len(drawn) == frame[entity].isin(drawn[entity].unique()).sum()
    assert np.mean([len(drawn) for drawn in every]) == pytest.approx(len(frame) / 2, rel=0.1)


PEAK = """
import resource, sys
from pathlib import Path
import numpy as np, pandas as pd
from driftloop.batches import Writer
from driftloop.training.hashed import HashedLinear
from driftloop.training import descent

descent.PASSES = (1, 1)
rows, rng = int(sys.argv[1]), np.random.default_rng(0)
names = [f"c{n}" for n in range(4)]

def batches():
    for start in range(0, rows, 50_000):
        codes = rng.integers(0, 10_000, (50_000, 4))
        frame = pd.DataFrame({n: codes[:, i] for i, n in enumerate(names)})
        frame["x"] = rng.normal(size=50_000)
        yield frame, (rng.random(50_000) < 0.1).astype(float), np.ones(50_000)

HashedLinear(["x"], names).fit_batches(batches(), 1 << 28)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(rows: int) -> int:
    """Return the peak memory in bytes of a process that fits so many rows."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(rows)], env=environment, capture_output=True, check=True
    )
    return int(done.stdout) * 1024


def test_memory_does_not_grow_with_rows() -> None:
    """900,000 more rows, in a frame of 50 bytes each, take no more than 20 bytes each."""
    few, many = peak(100_000), peak(1_000_000)
    assert many - few < 20 * 900_000
