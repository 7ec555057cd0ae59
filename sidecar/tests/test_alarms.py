"""The benchmark of false alarms counts as it says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "alarms.py"


@pytest.fixture(scope="module")
def alarms() -> Any:
    sys.path.insert(0, str(PATH.parent))  # where it finds its neighbour, as a script does
    spec = importlib.util.spec_from_file_location("alarms", PATH)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["alarms"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_bounds_of_a_count_are_the_exact_ones(alarms: Any) -> None:
    assert alarms.interval(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert alarms.interval(3) == pytest.approx((0.619, 8.767), abs=1e-3)


def test_an_alarm_that_lasts_counts_once(alarms: Any) -> None:
    rises = sys.modules["peer_rules"].rises
    assert rises(np.array([1, 1, 0, 1, 1, 0], dtype=bool)) == 2


def test_a_unit_that_changes_is_found_in_the_window_of_its_onset(alarms: Any) -> None:
    rows, _ = alarms.until_found("unit x10", 0)
    assert 0 < rows <= alarms.PER_DAY
