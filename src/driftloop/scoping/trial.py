"""Trial: one fit on a part of the rows, in a process of its own, with what it took.

The process reads nothing but its rows and then fits, so its peak memory is what such a training
takes, imports included. Time is the processor's, of all threads: another load on the machine
changes it little.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from driftloop import parquet
from driftloop.evaluation.loss import Floats
from driftloop.training import fit, target
from driftloop.usecase import UseCase
from driftloop_contracts.errors import DriftloopError

KIB = 1 if sys.platform == "darwin" else 1024
"""Bytes in the unit of ru_maxrss."""


@dataclass(frozen=True)
class Outcome:
    """CPU ``seconds`` of the fit, ``memory`` at its peak in bytes, each judging row's loss."""

    seconds: float
    memory: float
    losses: Floats


def run(case: UseCase, estimator: str, early: Path, late: Path, answer: Connection) -> None:
    """Fit on the rows in the file ``early``, judge on those in ``late``, and send the Outcome.

    Of a failure its sentence is sent instead: what a use case's own code raised with its name.
    """
    try:
        rows = parquet.load(early.read_bytes())
        began = time.process_time()
        model = fit.fit(case, estimator, rows)
        seconds = time.process_time() - began
        memory = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB)
        judged = parquet.load(late.read_bytes())
        losses = target.of(case.loop).judge(fit.answers(case, model, judged), judged).loss
        answer.send(Outcome(seconds, memory, losses))
    except (DriftloopError, ValueError) as error:
        answer.send(str(error))
    except Exception as error:
        answer.send(f"{type(error).__name__}: {error}")
    finally:
        answer.close()
