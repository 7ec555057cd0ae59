"""A registry in Postgres loses nothing to whoever writes at the same time; Feast's own does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import project
import pytest
import registry_project as shops
import sqlalchemy
from feast import FeatureStore
from feast.errors import FeatureViewNotFoundException
from feast.feature_view import FeatureViewState
from feast.infra.registry.sql import SqlRegistryConfig
from project import NOON
from registry_project import interval

from driftloop.adapters import materialization, registry
from driftloop.adapters.feast_registry import LockedSqlRegistry
from driftloop_contracts.errors import InvalidInput

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
import registry_project
store = registry_project.opened(sys.argv[1], Path(sys.argv[2]))
with store.registry.alone("shops"):
    store.apply(registry_project.objects(Path(sys.argv[2]), "unfinished"))
    print("holds", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def address(empty_postgres: str) -> str:
    return empty_postgres


@pytest.fixture(params=["stock", "locked"])
def locked(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "locked")


@pytest.fixture
def stores(address: str, tmp_path: Path, locked: bool) -> Iterator[tuple[FeatureStore, ...]]:
    """The same project opened twice, with a view that nothing was materialized of."""
    row = {"shared_key": 1, "value": 1.0, "event": NOON, "created": NOON}
    project.write(tmp_path / "rows" / "1.parquet", [row])
    pair = tuple(shops.opened(address, tmp_path, locked=locked) for _ in range(2))
    pair[0].apply(shops.objects(tmp_path))
    yield pair
    for store in pair:
        store.registry.write_engine.dispose()


def started(code: list[str], address: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join(str(ROOT / "tests" / name) for name in ("online", "conformance"))
    command = [sys.executable, *code, address, str(folder), *more]
    environ = {**os.environ, "PYTHONPATH": paths}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)


def between(store: FeatureStore, action: Any, monkeypatch: pytest.MonkeyPatch) -> threading.Thread:
    """Start ``action`` once ``store``'s registry has read what it will write."""
    other, write = threading.Thread(target=action), store.registry._apply_object
    waits = isinstance(store.registry, LockedSqlRegistry)

    def read_and_wait(*args: Any, **kwargs: Any) -> Any:
        if other.ident is None:
            other.start()
            other.join(1 if waits else 20)  # It waits for its turn, or ends at once.
        return write(*args, **kwargs)

    monkeypatch.setattr(store.registry, "_apply_object", read_and_wait)
    return other


def test_of_two_materializations_that_end_together_both_are_known(
    stores: tuple[FeatureStore, ...], locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stores
    view = first.get_feature_view("shared")
    ends = (view, "shops", *interval(1, 0))
    other = between(first, lambda: second.registry.apply_materialization(*ends), monkeypatch)
    first.registry.apply_materialization(view, "shops", *interval(0, 0))
    other.join(20)
    both = {interval(0, 0), interval(1, 0)}
    assert shops.intervals(second) == (both if locked else {interval(0, 0)})


def begin(first: FeatureStore, second: FeatureStore) -> None:
    """Say by ``first`` that a materialization begins, after ``second`` ended one of its own."""
    first.materialize(*interval(0, 0), feature_views=["shared"])
    begun = first.get_feature_view("shared")
    # Feast writes that state only where the view has changed meanwhile.
    second.registry.apply_materialization(begun, "shops", *interval(1, 0))
    begun.state = FeatureViewState.MATERIALIZING
    first.registry.apply_feature_view(begun, "shops")


def test_a_materialization_that_begins_forgets_none_that_ended(
    stores: tuple[FeatureStore, ...], locked: bool
) -> None:
    first, second = stores
    begin(first, second)
    both = {interval(0, 0), interval(1, 0)}
    assert shops.intervals(second) == (both if locked else {interval(0, 0)})


@pytest.mark.parametrize("ending", ["applied", "failed"])
def test_a_materialization_brings_no_old_definition_back(
    stores: tuple[FeatureStore, ...], locked: bool, ending: str, tmp_path: Path
) -> None:
    first, second = stores
    begun = first.get_feature_view("shared")
    second.apply(shops.objects(tmp_path, "shared", "newest"))
    begun.state = FeatureViewState.MATERIALIZING
    first.registry.apply_feature_view(begun, "shops")
    if ending == "failed":
        begun.state = FeatureViewState.AVAILABLE_ONLINE
        first.registry.apply_feature_view(begun, "shops")
    found = shops.features(second.get_feature_view("shared"))
    assert found == ({"value", "newest"} if locked else {"value"})


def test_a_definition_is_not_undone_by_a_materialization_that_ends(
    stores: tuple[FeatureStore, ...],
    locked: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    first, second = stores
    newest = shops.objects(tmp_path, "shared", "newest")
    view = first.get_feature_view("shared")
    other = between(first, lambda: second.apply(newest), monkeypatch)
    first.registry.apply_materialization(view, "shops", *interval(0, 0))
    other.join(20)
    found = second.get_feature_view("shared")
    assert shops.features(found) == ({"value", "newest"} if locked else {"value"})
    assert shops.intervals(second) == {interval(0, 0)}


@pytest.mark.parametrize("locked", [True])
def test_an_interval_is_known_once_and_stays_through_every_apply(
    stores: tuple[FeatureStore, ...], tmp_path: Path
) -> None:
    first, second = stores
    for store in stores:
        store.materialize(*interval(0, 0), feature_views=["shared"])
    first.apply(shops.objects(tmp_path))
    second.apply(shops.objects(tmp_path, "shared", "newest"))
    assert shops.intervals(first) == {interval(0, 0)}


@pytest.mark.parametrize("locked", [True])
def test_a_view_that_was_deleted_stays_deleted(stores: tuple[FeatureStore, ...]) -> None:
    first, second = stores
    view = first.get_feature_view("shared")
    second.registry.delete_feature_view("shared", "shops")
    with pytest.raises(FeatureViewNotFoundException):
        first.registry.apply_materialization(view, "shops", *interval(0, 0))


@pytest.mark.parametrize("locked", [True])
def test_a_view_that_cannot_be_registered_whole_is_not_registered(
    stores: tuple[FeatureStore, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stores
    monkeypatch.setattr(first.registry, "_save_version_snapshot", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        first.apply(shops.objects(tmp_path, "half"))
    monkeypatch.undo()
    for store in stores:
        assert [view.name for view in store.list_feature_views()] == ["shared"]
    second.apply(shops.objects(tmp_path, "whole"))
    assert first.get_feature_view("whole").name == "whole"


@pytest.mark.slow
def test_many_processes_lose_nothing(address: str, tmp_path: Path) -> None:
    found = finished(address, tmp_path)
    everyone = range(shops.WRITERS)
    assert shops.intervals(found) == reported(everyone)
    for writer in everyone:
        assert_last(found, writer)


@pytest.mark.slow
def test_a_process_that_is_killed_takes_nothing_of_the_others_with_it(
    address: str, tmp_path: Path
) -> None:
    found = finished(address, tmp_path, killed=0)
    others = range(1, shops.WRITERS)
    assert reported(others) <= shops.intervals(found) <= reported(range(shops.WRITERS))
    for writer in others:
        assert_last(found, writer)
    found.apply(shops.objects(tmp_path, "afterwards"))


def finished(address: str, folder: Path, killed: int | None = None) -> FeatureStore:
    """Return the project after its writers ended, one of them by ``kill -9``."""
    row = {"shared_key": 1, "value": 1.0, "event": NOON, "created": NOON}
    project.write(folder / "rows" / "1.parquet", [row])
    main = started([shops.__file__], address, folder, "locked")
    assert main.stdout is not None
    children = [int(main.stdout.readline()) for _ in range(shops.WRITERS)]
    if killed is not None:
        await_own_view(address, killed)
        os.kill(children[killed], signal.SIGKILL)
    assert main.wait(120) == (0 if killed is None else 1)
    return shops.opened(address, folder)


def await_own_view(address: str, writer: int) -> None:
    engine = sqlalchemy.create_engine(registry.configuration(address, Path())["path"])
    query = sqlalchemy.text("SELECT 1 FROM feature_views WHERE feature_view_name = :name")
    for _ in range(2000):
        with engine.connect() as connection:
            if not sqlalchemy.inspect(connection).has_table("feature_views"):
                continue
            if connection.execute(query, {"name": f"own{writer}"}).first():
                break
    engine.dispose()


def reported(writers: range) -> set[shops.Interval]:
    return {interval(writer, turn) for writer in writers for turn in range(2 * shops.ROUNDS)}


def assert_last(store: FeatureStore, writer: int) -> None:
    """What a writer defined last is there, with every version of it."""
    name = f"own{writer}"
    last = {"value", f"turn{shops.ROUNDS - 1}"}
    assert shops.features(store.get_feature_view(name)) == last
    assert store.get_feature_service(f"{name}_service").name == f"{name}_service"
    assert store.get_entity(f"{name}_key").name == f"{name}_key"
    assert len(store.list_feature_view_versions(name)) == shops.ROUNDS


def test_a_change_whose_process_is_killed_never_was(address: str, tmp_path: Path) -> None:
    store, objects = shops.opened(address, tmp_path), shops.objects(tmp_path)
    child = started(["-c", HOLD], address, tmp_path)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "holds\n"
        other = threading.Thread(target=lambda: store.apply(objects))
        other.start()
        other.join(1)
        assert other.is_alive()  # it waits for its turn
    finally:
        child.kill()
        child.wait()
    other.join(20)
    assert not other.is_alive()
    assert [view.name for view in store.list_feature_views()] == ["shared"]


def test_reads_wait_for_nobody(address: str, tmp_path: Path) -> None:
    first, second = (shops.opened(address, tmp_path) for _ in range(2))
    first.apply(shops.objects(tmp_path))
    with first.registry.alone("shops"):
        first.apply(shops.objects(tmp_path, "shared", "newest"))
        assert shops.features(second.get_feature_view("shared")) == {"value"}
    assert shops.features(second.get_feature_view("shared")) == {"value", "newest"}


@pytest.mark.parametrize("locked", [False])
@pytest.mark.parametrize("serves", [True, False])
def test_features_are_served_while_their_view_is_materialized(
    stores: tuple[FeatureStore, ...], serves: bool
) -> None:
    first, second = stores
    begin(first, second)
    assert second.get_feature_view("shared").state is FeatureViewState.MATERIALIZING
    second.registry.serve_features_while_materializing &= serves
    second.refresh_registry()
    if serves:
        assert value(second) == 1.0
        return
    with pytest.raises(ValueError, match="cannot serve features"):
        value(second)


@pytest.mark.parametrize("locked", [True])
def test_a_copy_that_was_killed_is_registered_once_it_is_whole(
    stores: tuple[FeatureStore, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores
    view, online = store.get_feature_view("shared"), store._get_provider().online_store
    monkeypatch.setattr(online, "online_write_batch", lambda *_: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        materialization.copy(store, view, *interval(0, 0))
    assert shops.intervals(store) == set()
    monkeypatch.undo()
    for written in (1, 0):
        assert materialization.copy(store, view, *interval(0, 0)) == written
    assert shops.intervals(store) == {interval(0, 0)}


def value(store: FeatureStore) -> float | None:
    keys = [{"shared_key": 1}]
    found: list[float] = store.get_online_features(["shared:value"], keys).to_dict()["value"]
    return found[0]


def test_only_postgres_can_be_locked(tmp_path: Path) -> None:
    settings = registry.configuration("postgresql://feast@db/registry", tmp_path)
    path = f"sqlite:///{tmp_path / 'registry.db'}"
    config = SqlRegistryConfig(**settings | {"path": path})
    with pytest.raises(InvalidInput, match=r"registry\.path in feature_store\.yaml"):
        LockedSqlRegistry(config, "shops", None)
