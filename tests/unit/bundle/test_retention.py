"""Bundles go when neither the ledger nor their age keeps them; half a removal is made whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from driftloop import cli
from driftloop.adapters.sqlite_ledger import SqliteLedger
from driftloop.bundle import retention
from driftloop.last_run import LEDGER
from driftloop.ledger import Entry
from driftloop.resources.lineup import BUNDLE
from driftloop.rollout.passed import Passed
from driftloop.rollout.progress import Progress
from driftloop.state import State
from driftloop_contracts import bundle
from driftloop_contracts.object_store import FileStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def passed(version: str) -> Passed:
    return Passed(version=version, retraining=1, data_end=NOW)


def test_all_that_may_serve_again_is_named() -> None:
    state = State(
        champion="0005-e",
        running=9,
        running_champion="0004-d",
        before=("0001-a", "0002-b"),
        rollout=Progress(passed=passed("0006-f"), stable="0005-e", since=NOW),
        held=passed("0003-c"),
        blocked=("0007-g",),
    )
    names = {f"000{n}-{c}" for n, c in zip("123456", "abcdef", strict=True)}
    assert retention.named(state) == names
    assert retention.named(State()) == set()


@given(st.sets(st.integers(1, 20_000), max_size=30), st.sets(st.integers(1, 40)), st.integers(1, 9))
def test_the_newest_and_the_named_stay(numbers: set[int], kept: set[int], keep: int) -> None:
    versions = [f"{number:04d}-x" for number in numbers]
    names = {f"{number:04d}-x" for number in kept}
    going = retention.expired(versions, names, keep)
    newest = {f"{number:04d}-x" for number in sorted(numbers)[-keep:]}
    assert set(versions) - set(going) == newest | (names & set(versions))


def stocked(root: Path, *versions: str) -> FileStore:
    store = FileStore(root)
    for version in versions:
        for name in (bundle.MANIFEST, bundle.MODEL, bundle.BASELINE):
            store.put(bundle.key("ads-ctr", version, name), b"x")
    return store


def test_a_removal_that_was_killed_leaves_no_bundle_and_is_made_whole(tmp_path: Path) -> None:
    class Killed(FileStore):
        def remove(self, key: str) -> None:
            super().remove(key)
            raise KeyboardInterrupt

    stocked(tmp_path, "0001-a", "0002-b")
    with pytest.raises(KeyboardInterrupt):
        retention.remove(Killed(tmp_path), "ads-ctr", "0001-a")
    store = FileStore(tmp_path)
    with pytest.raises(KeyError):
        store.get(bundle.key("ads-ctr", "0001-a", bundle.MANIFEST))
    assert retention.stored(store, "ads-ctr") == ["0001-a", "0002-b"]
    retention.remove(store, "ads-ctr", "0001-a")
    assert retention.stored(store, "ads-ctr") == ["0002-b"]
    assert len(store.list("bundles/ads-ctr/0002-b/")) == 3


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder: four bundles, the oldest in service."""
    stocked(tmp_path / "store", "0001-a", "0002-b", "0003-c", "10000-d")
    ledger = SqliteLedger(tmp_path / LEDGER)
    ledger.record("ads-ctr", 0, State(champion="0001-a"), Entry("x", NOW, ("why",)))
    ledger.close()
    return tmp_path


def retain(run: Path, *arguments: str) -> str:
    command = ["retain", "ads_ctr", "--run", str(run), *arguments]
    done = CliRunner().invoke(cli.app, command)
    if done.exception:
        raise done.exception
    return done.output


def test_the_command_tells_first_and_removes_when_told_to(run: Path) -> None:
    assert retain(run, "--keep", "1") == ("0002-b may go.\n0003-c may go.\n2 of 4 bundles stay.\n")
    assert len(retention.stored(FileStore(run / "store"), "ads-ctr")) == 4
    assert "0003-c is removed." in retain(run, "--keep", "1", "--delete")
    assert retention.stored(FileStore(run / "store"), "ads-ctr") == ["0001-a", "10000-d"]


def test_without_a_champion_or_a_ledger_nothing_goes(run: Path, tmp_path: Path) -> None:
    SqliteLedger(run / LEDGER).record("ads-ctr", 1, State(), Entry("x", NOW, ("why",)))
    with pytest.raises(Exception, match="one with a champion"):
        retain(run, "--delete", "--keep", "1")
    (run / LEDGER).unlink()
    with pytest.raises(Exception, match=f"a folder with {LEDGER}"):
        retain(run, "--delete")
    assert len(retention.stored(FileStore(run / "store"), "ads-ctr")) == 4


def test_what_has_pods_stays_whatever_the_ledger_says() -> None:
    predictors = [{"annotations": {BUNDLE: version}} for version in ("0001-a", "0002-b")]
    canary = [{"predictor": predictors[1]}]
    service = {"spec": {"predictor": predictors[0], "canary": canary}}
    assert retention.serving(service) == {"0001-a", "0002-b"}
    assert retention.serving({"spec": {"predictor": {}}}) == set()
