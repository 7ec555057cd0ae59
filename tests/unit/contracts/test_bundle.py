"""Bundles: a folder is taken only as its manifest has it, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from driftloop_contracts import baseline, bundle
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.bundle import MANIFEST, Manifest
from driftloop_contracts.errors import BundleRefused
from driftloop_contracts.signature import ANYONE

FILES = {"model.skops": b"model", "baseline.json": b"{}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    digests = {name: bundle.digest(content) for name, content in FILES.items()}
    manifest = Manifest("ads-ctr", "1-abc", "2026-01-01T00:00:00Z", {}, digests)
    (tmp_path / MANIFEST).write_bytes(manifest.to_json())
    return tmp_path


def test_a_whole_bundle_verifies(folder: Path) -> None:
    assert bundle.verify(folder, ANYONE).version == "1-abc"


def altered(folder: Path) -> None:
    (folder / "model.skops").write_bytes(b"other")


def added(folder: Path) -> None:
    (folder / "more.py").write_bytes(b"")


def removed(folder: Path) -> None:
    (folder / "model.skops").unlink()


def made_a_folder(folder: Path) -> None:
    removed(folder)
    (folder / "model.skops").mkdir()


def dangling(folder: Path) -> None:
    removed(folder)
    (folder / "model.skops").symlink_to(folder / "nowhere")


def manifest_gone(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def manifest_too_deep(folder: Path) -> None:
    (folder / MANIFEST).write_bytes(b"[" * 100_000)


def rewritten(folder: Path, **changed: object) -> None:
    content = json.loads((folder / MANIFEST).read_bytes())
    (folder / MANIFEST).write_text(json.dumps(content | changed))


def of_a_later_schema(folder: Path) -> None:
    rewritten(folder, schema_version=2)


def reaching_outside(folder: Path) -> None:
    rewritten(folder, files={"../model.skops": "0"})


def with_files_no_mapping(folder: Path) -> None:
    rewritten(folder, files=["model.skops"])


def with_an_unknown_field(folder: Path) -> None:
    rewritten(folder, run="rm")


@pytest.mark.parametrize(
    "change",
    [
        altered, added, removed, made_a_folder, dangling, manifest_gone, manifest_too_deep,
        of_a_later_schema, reaching_outside, with_files_no_mapping, with_an_unknown_field,
    ],
)  # fmt: skip
def test_any_other_folder_is_refused(folder: Path, change: Callable[[Path], None]) -> None:
    change(folder)
    with pytest.raises(BundleRefused):
        bundle.verify(folder, ANYONE)


def test_a_baseline_survives_the_bundle() -> None:
    feature = FeatureBaseline("device", "categorical", 0.3, 0.1, True, ("phone", "desk"))
    written = Baseline("ads-ctr", 86400, 1000, 0.001, (feature,), (("position", "numeric"),))
    assert baseline.from_json(written.to_json()) == written
    assert written.kinds == {"device": "categorical", "position": "numeric"}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"features": [1]}', b"[" * 100_000])
def test_what_is_no_baseline_is_refused(content: bytes) -> None:
    with pytest.raises(BundleRefused):
        baseline.from_json(content)
