"""The committed YAML is what the code compiles to, and components stay thin."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPILED = ROOT / "pipelines" / "compiled"
PIPELINES = {"training", "materialize", "business_review", "cohort"}
COMPONENTS = sorted(
    p for p in (ROOT / "components").glob("*.py") if p.stem not in ("__init__", "image")
)


def test_components_are_found() -> None:
    assert len(COMPONENTS) >= 7


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_a_pipeline_compiles_to_the_committed_yaml(name: str, tmp_path: Path) -> None:
    script = (
        "import sys; from kfp import compiler; from pipelines.__main__ import PIPELINES;"
        "compiler.Compiler().compile(PIPELINES[sys.argv[1]], sys.argv[2])"
    )
    target = tmp_path / "pipeline.yaml"
    # An empty environment: a pipeline module needs no setting to be imported and compiled.
    done = subprocess.run(
        [sys.executable, "-c", script, name, str(target)], cwd=ROOT, env={}, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    committed = (COMPILED / f"{name}.yaml").read_text()
    assert target.read_text() == committed, "run 'make pipelines' and commit the result"


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_no_step_is_answered_from_a_cache_and_each_has_its_credentials(name: str) -> None:
    spec, platform = yaml.safe_load_all((COMPILED / f"{name}.yaml").read_text())
    tasks = spec["root"]["dag"]["tasks"]
    assert [task for task in tasks.values() if task["cachingOptions"].get("enableCache")] == []
    lent = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(lent) == set(spec["deploymentSpec"]["executors"])
    for step, executor in lent.items():
        secret, *others = executor["secretAsEnv"]
        assert (secret["secretName"], secret["optional"]) == ("driftloop-credentials", True)
        # Of all steps only the one that packs a bundle may sign it.
        signing = [("driftloop-signing", True)] if step == "exec-package" else []
        assert [(one["secretName"], one["optional"]) for one in others] == signing


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
    spec, _ = yaml.safe_load_all((COMPILED / "training.yaml").read_text())
    assert spec["sdkVersion"] == "kfp-2.17.0"
