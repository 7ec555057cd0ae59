"""Sample run: fits on growing parts of the rows, within a limit of time.

The latest rows judge, as in training; every part is drawn at random from the rows before them, over
the whole of their time, so that the parts differ in size and not in age. Sizes are run in turn,
the small ones first, then again with other rows. A run that would not end in time is not begun, and
one that does not is ended.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from driftloop import parquet
from driftloop.evaluation.loss import Floats
from driftloop.scoping import trial
from driftloop.usecase import UseCase
from driftloop_contracts.errors import InvalidInput, RunFailed
from driftloop_contracts.inference import CATEGORY

FRACTIONS = (0.05, 0.1, 0.2, 0.4, 0.8)
REPEATS = 4
"""Runs of each size, time allowing."""
FEWEST = 5
"""Rows of each class in a part, where there are so many: calibration takes folds of them."""
MARGIN = 2.0
"""Times the time that a run is expected to take, so that few are ended half way."""
PRELOADED = ("driftloop.scoping.trial", "driftloop.training.stock", "sklearn.ensemble")
"""Imported once for all runs' processes."""


@dataclass
class SampleRun:
    """One row a run, and the losses of the largest.

    ``frame``: fraction, rows, repeat, loss (nats an impression), seconds (CPU), memory (bytes);
    ``early``: rows that the parts were drawn from; ``largest``: each judging row's loss under the
    model of the most rows; ``skipped``: runs for which there was no time.
    """

    early: int
    runs: list[dict[str, float]] = field(default_factory=list)
    largest: Floats | None = None
    skipped: int = 0

    @property
    def frame(self) -> pd.DataFrame:
        """Return the runs as a table."""
        return pd.DataFrame(self.runs)

    @property
    def largest_rows(self) -> float:
        """Return how many rows the largest run was fitted on."""
        return max(run["rows"] for run in self.runs)


def sample_run(
    case: UseCase,
    early: pd.DataFrame,
    late: pd.DataFrame,
    *,
    seconds: float,
    rng: np.random.Generator,
    fractions: Sequence[float] = FRACTIONS,
    repeats: int = REPEATS,
    step: Callable[[], None] = lambda: None,
) -> SampleRun:
    """Return what fits of the first estimator on parts of ``early`` gave on the ``late`` rows.

    ``seconds``: time for all runs together; ``step`` is called after each. Raise RunFailed where
    fewer than three sizes were run in that time.
    """
    if not 0 < seconds < float("inf"):
        raise InvalidInput("--seconds", "the command", "a number above 0", seconds)
    deadline = time.monotonic() + seconds
    found, context = SampleRun(len(early)), _context()
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch) / "early.parquet", Path(scratch) / "late.parquet"
        files[1].write_bytes(parquet.dump(late))
        for repeat in range(repeats):
            for fraction in sorted(fractions):
                rows = max(1, round(fraction * len(early)))
                if time.monotonic() + MARGIN * _expected(found, rows) > deadline:
                    found.skipped += 1
                    continue
                part = _drawn(early, fraction, rows, rng)
                files[0].write_bytes(parquet.dump(early.iloc[part].reset_index(drop=True)))
                began = time.monotonic()
                outcome = _trial(context, case, files, deadline - began)
                _take(found, outcome, fraction, len(part), repeat, late, time.monotonic() - began)
                step()
    _require_sizes(found, seconds)
    return found


def _drawn(early: pd.DataFrame, fraction: float, rows: int, rng: np.random.Generator) -> Any:
    """Return the places of so many rows; among classes each class by its share, a few at least."""
    if CATEGORY not in early:
        return np.sort(rng.choice(len(early), rows, replace=False))
    order = rng.permutation(len(early))
    category = early[CATEGORY].iloc[order]
    number = category.groupby(category.to_numpy()).cumcount().to_numpy()
    sizes = category.groupby(category.to_numpy()).transform("size").to_numpy()
    return np.sort(order[number < np.maximum(np.round(fraction * sizes), FEWEST)])


def _context() -> Any:
    """Return a server of processes that has imported what each needs, and nothing of this one's.

    A process begun from this one would have its memory as well.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


def _expected(found: SampleRun, rows: int) -> float:
    """Return how long a run may take, at worst as much more as it has more rows than the last."""
    if not found.runs:
        return 0.0
    nearest = min(found.runs, key=lambda run: abs(run["rows"] - rows))
    return nearest["wall"] * max(1.0, rows / nearest["rows"])


def _trial(
    context: Any, case: UseCase, files: tuple[Path, Path], left: float
) -> trial.Outcome | None:
    """Return what a run gave, None where it did not end in the time that was ``left``."""
    ours, theirs = context.Pipe(duplex=False)
    estimator = case.loop.spec.training.estimators[0]
    process = context.Process(target=trial.run, args=(case, estimator, *files, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(max(0.0, left)):
            return None
        answer = ours.recv()
    except EOFError:
        process.join()  # Before that nobody knows its code.
        answer = _ended(process.exitcode)
    finally:
        process.kill()
        process.join()
        ours.close()
    if isinstance(answer, str):
        raise RunFailed(f"A sample run of '{estimator}' failed: {answer}")
    assert isinstance(answer, trial.Outcome)
    return answer


def _ended(code: int | None) -> str:
    """Return what became of a process that said nothing: it tells what it raises."""
    killed = ", as if memory ran out" if code is not None and code < 0 else ""
    return f"Its process ended with code {code}{killed}."


def _take(
    found: SampleRun,
    outcome: trial.Outcome | None,
    fraction: float,
    rows: int,
    repeat: int,
    late: pd.DataFrame,
    wall: float,
) -> None:
    if outcome is None:
        found.skipped += 1
        return
    if not found.runs or rows > found.largest_rows:
        found.largest = outcome.losses
    found.runs.append(
        {
            "fraction": fraction,
            "rows": rows,
            "repeat": repeat,
            "loss": float(outcome.losses.sum() / late["weight"].sum()),
            "seconds": max(outcome.seconds, 1e-4),
            "memory": outcome.memory,
            "wall": wall,
        }
    )


def _require_sizes(found: SampleRun, seconds: float) -> None:
    sizes = len({run["rows"] for run in found.runs})
    if sizes < 3:
        told = f"{sizes} of the sizes" if sizes else "none"
        raise RunFailed(
            f"In {seconds:g} s {told} could be run, and a curve takes three: give more --seconds."
        )
