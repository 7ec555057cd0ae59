"""No module over 400 lines, no function over 60: what is larger is two things."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("src", "contracts/src", "sidecar/src")
YOURS = ("components", "pipelines", "usecases", "benchmarks")
MODULE, FUNCTION = 400, 60


def modules() -> list[Path]:
    return [path for folder in OURS + YOURS for path in (ROOT / folder).rglob("*.py")]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_modules_are_found() -> None:
    assert len(modules()) > 60


def test_no_module_is_too_long() -> None:
    sizes = {str(p.relative_to(ROOT)): len(p.read_text().splitlines()) for p in modules()}
    assert {name: size for name, size in sizes.items() if size > MODULE} == {}


def test_no_function_is_too_long() -> None:
    sizes = [pair for path in modules() for pair in functions(path)]
    assert [pair for pair in sizes if pair[1] > FUNCTION] == []


def test_every_changelog_names_the_unreleased() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()
