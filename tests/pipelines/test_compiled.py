"""The committed YAML is what the code compiles to, and components stay thin."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPONENTS = sorted(
    p for p in (ROOT / "components").glob("*.py") if p.stem not in ("__init__", "image")
)


def test_components_are_found() -> None:
    assert len(COMPONENTS) >= 7


def test_training_compiles_to_the_committed_yaml(tmp_path: Path) -> None:
    script = (
        "import sys; from kfp import compiler; from pipelines.training import training;"
        "compiler.Compiler().compile(training, sys.argv[1])"
    )
    target = tmp_path / "training.yaml"
    # An empty environment: a pipeline module needs no setting to be imported and compiled.
    done = subprocess.run(
        [sys.executable, "-c", script, str(target)], cwd=ROOT, env={}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    committed = (ROOT / "pipelines" / "compiled" / "training.yaml").read_text()
    assert target.read_text() == committed, "run 'make pipelines' and commit the result"


def test_no_step_is_answered_from_a_cache() -> None:
    spec = yaml.safe_load((ROOT / "pipelines" / "compiled" / "training.yaml").read_text())
    tasks = spec["root"]["dag"]["tasks"]
    assert [name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")] == []


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.stem)
def test_component_is_thin(path: Path) -> None:
    tree = ast.parse(path.read_text())
    outer = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    assert {(n.module if isinstance(n, ast.ImportFrom) else n.names[0].name) for n in outer} <= {
        "kfp",
        "components",
    }
    (body,) = [n for n in tree.body if isinstance(n, ast.FunctionDef)]
    assert body.end_lineno is not None
    assert body.end_lineno - body.body[0].lineno < 20


def test_compiler_is_the_one_the_lock_pins() -> None:
    spec = yaml.safe_load((ROOT / "pipelines" / "compiled" / "training.yaml").read_text())
    assert spec["sdkVersion"] == "kfp-2.17.0"
