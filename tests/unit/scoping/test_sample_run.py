"""A sample run measures real fits in their own processes, keeps to its time and tells failures."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftloop import usecase
from driftloop.scoping import cost_curve, sample_run
from driftloop.traffic import Traffic
from driftloop.training import split
from driftloop.usecase import Span, UseCase
from driftloop_contracts.errors import InvalidInput, RunFailed

ROOT = Path(__file__).parents[3]
FRACTIONS = (0.02, 0.04, 0.08, 0.16)
MARGIN = 30.0
"""Seconds that starting processes may take on a busy machine."""


@pytest.fixture(scope="module")
def case() -> UseCase:
    return usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})


@pytest.fixture(scope="module")
def parts(case: UseCase) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The simulator's rows without what Feast would look up."""
    stream: Traffic = case.read(Span(seed=1))
    known = stream.outcomes.drop_duplicates("row_id", keep="last").set_index("row_id")["positives"]
    rows = stream.requests.assign(positives=stream.requests["row_id"].map(known))
    views = [c.name for c in case.loop.spec.features.columns if c.origin != "request"]
    rows = rows.assign(**dict.fromkeys(views, np.nan))
    is_late = rows["event_time"] >= split.holdout_start(rows["event_time"], case.loop, None)
    return rows[~is_late].reset_index(drop=True), rows[is_late].reset_index(drop=True)


@pytest.fixture(scope="module")
def found(case: UseCase, parts: tuple[pd.DataFrame, pd.DataFrame]) -> sample_run.SampleRun:
    rng = np.random.default_rng(0)
    return sample_run.sample_run(case, *parts, seconds=120, rng=rng, fractions=FRACTIONS, repeats=2)


def test_each_size_is_run_and_larger_ones_take_more(found: sample_run.SampleRun) -> None:
    frame = found.frame
    assert frame.groupby("rows").size().tolist() == [2] * len(FRACTIONS)
    means = frame.groupby("rows")[["loss", "memory"]].mean()
    assert means["loss"].iloc[-1] < means["loss"].iloc[0]
    assert means["memory"].iloc[-1] > means["memory"].iloc[0]
    assert frame["seconds"].between(0.001, 60).all()
    assert found.largest is not None
    assert found.skipped == 0


def test_the_time_of_four_times_the_largest_part_is_foretold_within_a_factor(
    case: UseCase, parts: tuple[pd.DataFrame, pd.DataFrame], found: sample_run.SampleRun
) -> None:
    """Of two and a half: processors of a busy machine are slower at times."""
    curve = cost_curve.fit(found.frame["rows"], found.frame["seconds"])
    whole = sample_run.sample_run(
        case, *parts, seconds=120, rng=np.random.default_rng(1), repeats=1,
        fractions=(0.01, 0.02, 4 * FRACTIONS[-1]),
    )  # fmt: skip
    measured = whole.frame.sort_values("rows").iloc[-1]
    foretold = curve.at(measured["rows"]).estimate
    assert 1 / 2.5 <= foretold / measured["seconds"] <= 2.5


def test_memory_is_the_processes_own(found: sample_run.SampleRun) -> None:
    """This process may hold a gigabyte: a fit's own is what it needs, imports included."""
    ballast = np.ones(40_000_000)
    assert found.frame["memory"].between(5e7, 6e8).all()
    assert ballast.nbytes > 3e8


def test_time_is_kept(case: UseCase, parts: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    began = time.monotonic()
    with pytest.raises(RunFailed, match="give more --seconds"):
        sample_run.sample_run(case, *parts, seconds=0.01, rng=np.random.default_rng(0))
    assert time.monotonic() - began < MARGIN


def test_a_fit_that_fails_is_told(case: UseCase, parts: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    early, late = parts
    with pytest.raises(RunFailed, match="A sample run of 'logistic' failed: "):
        sample_run.sample_run(
            case, early.assign(positives=0.0), late, seconds=60, rng=np.random.default_rng(0)
        )


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_limit_that_is_none_is_refused(
    seconds: float, case: UseCase, parts: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(InvalidInput, match="--seconds"):
        sample_run.sample_run(case, *parts, seconds=seconds, rng=np.random.default_rng(0))


def test_what_nobody_foresaw_is_told_with_its_name(
    case: UseCase, parts: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    early, late = parts
    with pytest.raises(RunFailed, match="failed: KeyError: 'device'"):
        sample_run.sample_run(
            case, early.drop(columns="device"), late, seconds=60, rng=np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("os._exit(3)", r"ended with code 3\."),
        ("os.kill(os.getpid(), 9)", "ended with code -9, as if memory ran out"),
    ],
)
def test_a_process_that_says_nothing_is_told_by_its_code(
    end: str, message: str, tmp_path: Path, parts: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    name = f"ends_{'exit' if 'exit' in end else 'kill'}"
    folder = tmp_path / name
    shutil.copytree(ROOT / "usecases" / "ads_ctr", folder)
    (folder / "model.py").write_text(f"import os\n\n\ndef estimators():\n    {end}\n")
    case = usecase.find(name, {usecase.FOLDER_VARIABLE: str(tmp_path)})
    with pytest.raises(RunFailed, match=message):
        sample_run.sample_run(case, *parts, seconds=60, rng=np.random.default_rng(0))
