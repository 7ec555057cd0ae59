"""Two real policies, each judged from the other's log and held against its own."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("DRIFTLOOP_SHARED_DATA", ROOT.parent / "shared" / "data"))
DATA = SHARED / "open_bandit_small"


def benchmark() -> ModuleType:
    path = ROOT / "benchmarks" / "off_policy.py"
    spec = importlib.util.spec_from_file_location("off_policy_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def judged() -> list[Any]:
    if not DATA.is_dir():
        if os.environ.get("DRIFTLOOP_REQUIRE_SHARED") == "1":
            pytest.fail(f"{DATA} is required and missing.")
        pytest.skip(f"The Open Bandit data are not at {DATA}.")
    found: list[Any] = benchmark().judged(DATA)
    return found


def test_each_policys_own_value_lies_in_the_interval_from_the_others_log(judged: Any) -> None:
    assert len(judged) >= 2
    for one in judged:
        for value in one.values.values():
            for low, _, high in (value.bootstrap, value.asymptotic):
                assert low <= one.own <= high, (one.name, value)


def test_the_weights_of_real_logs_can_be_trusted(judged: Any) -> None:
    for one in judged:
        assert one.log.diagnostics.faults == ()
        assert one.log.diagnostics.effective > 100


def test_a_wrong_propensity_is_found(judged: Any) -> None:
    from driftloop.business import off_policy

    log = judged[0].log
    twice = off_policy.Rounds(log.reward, log.weight * 2, log.count)
    assert "instead of 1" in twice.diagnostics.faults[0]
