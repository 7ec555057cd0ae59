"""The made-up run, rendered once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from driftloop.report import page


def _synthetic() -> ModuleType:
    path = Path(__file__).with_name("synthetic.py")
    spec = importlib.util.spec_from_file_location("synthetic_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    return _synthetic()


@pytest.fixture
def found(synthetic: ModuleType) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    summary, events = synthetic.run()
    return summary, events


@pytest.fixture(scope="session")
def full(synthetic: ModuleType) -> str:
    return page.render(*synthetic.run())


@pytest.fixture(scope="session")
def bare(synthetic: ModuleType) -> str:
    return page.render(*synthetic.bare())
