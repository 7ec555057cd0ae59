"""Feast's SQL registry whose writers take turns."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from inspect import signature
from typing import Any

from feast import FeatureView, utils
from feast.errors import FeatureViewNotFoundException
from feast.feature_view import FeatureViewState
from feast.infra.registry.sql import FeastMetadataKeys, SqlRegistry
from sqlalchemy import Engine

from driftloop.adapters.feast_registry import database
from driftloop.adapters.feast_registry.joined import JoinedEngine

TRANSITIONS = {FeatureViewState.MATERIALIZING, FeatureViewState.GENERATED}
"""States of which Feast tells by applying the view that it has read: no new definition."""


def _alone(name: str) -> Callable[..., Any]:
    """Return Feast's method ``name``, run as one transaction and alone in its ``project``."""
    method = getattr(SqlRegistry, name)
    parameters = signature(method)

    @functools.wraps(method)
    def run(self: LockedSqlRegistry, *args: Any, **kwargs: Any) -> Any:
        with self.alone(parameters.bind(self, *args, **kwargs).arguments["project"]):
            return method(self, *args, **kwargs)

    return run


class LockedSqlRegistry(SqlRegistry):  # type: ignore[misc]
    """What it promises is in the package's docstring."""

    _delete_object = _alone("_delete_object")
    apply_user_metadata = _alone("apply_user_metadata")
    delete_feature_view = _alone("delete_feature_view")
    set_project_metadata = _alone("set_project_metadata")

    def __init__(self, registry_config: Any, project: str, repo_path: Any) -> None:
        self._own = threading.local()
        self._materializing: dict[str, Any] = {}
        database.prepare(registry_config)
        super().__init__(registry_config, project, repo_path)

    @property
    def write_engine(self) -> JoinedEngine:
        """The database."""
        return self._write

    @write_engine.setter
    def write_engine(self, engine: Engine) -> None:
        self._write = JoinedEngine(engine)

    @property
    def read_engine(self) -> Any:
        """The database, or its replica outside a change: what is changed must be the newest."""
        return self._write if self._write.held else self._read

    @read_engine.setter
    def read_engine(self, engine: Any) -> None:
        self._read = engine

    @contextmanager
    def alone(self, project: str) -> Iterator[None]:
        """Let nobody else change ``project`` until the end; all of it is one transaction."""
        outermost = not self._write.held
        with self._write.hold() as connection:
            database.lock(connection, project)
            yield
        if outermost and vars(self._own).pop("changed", False):
            self.refresh()

    def refresh(self, project: str | None = None) -> None:
        """Read everything anew; after a change, once it is committed."""
        if self._write.held:
            self._own.changed = True
        else:
            super().refresh(project)

    def _maybe_init_project_metadata(self, project: str) -> None:
        # Asked whenever a registry is opened: who only reads waits for nobody.
        if self.get_project_metadata(project, FeastMetadataKeys.PROJECT_UUID.value) is None:
            with self.alone(project):
                super()._maybe_init_project_metadata(project)

    def apply_feature_view(
        self, feature_view: Any, project: str, commit: bool = True, no_promote: bool = False
    ) -> None:
        """Register ``feature_view``; that it is being materialized changes nothing."""
        with self.alone(project):
            if not self._only_tells(feature_view, project):
                super().apply_feature_view(feature_view, project, commit, no_promote)

    def apply_materialization(
        self,
        feature_view: Any,
        project: str,
        start_date: datetime,
        end_date: datetime,
        commit: bool = True,
    ) -> None:
        """Add an interval to what the registry knows of the view now."""
        interval = utils.make_tzaware(start_date), utils.make_tzaware(end_date)
        with self.alone(project):
            super().apply_materialization(feature_view, project, *interval, commit)

    def delete_project(self, name: str, commit: bool = True) -> None:
        """Delete the project with all that is in it."""
        with self.alone(name):
            super().delete_project(name, commit)

    @staticmethod
    def _verify_schema(engine: Any, *rest: Any) -> None:
        # SQLAlchemy looks into engines of its own only.
        SqlRegistry._verify_schema(engine.engine, *rest)

    def _apply_object(
        self, table: Any, project: str, id_field_name: str, obj: Any, *rest: Any, **named: Any
    ) -> Any:
        with self.alone(project):
            if isinstance(obj, FeatureView):
                obj.materialization_intervals = self._intervals(table, project, obj)
            return super()._apply_object(table, project, id_field_name, obj, *rest, **named)

    def _only_tells(self, view: Any, project: str) -> bool:
        """Return whether Feast applies ``view`` to say that its materialization began or failed."""
        if getattr(view, "state", None) in TRANSITIONS and self._has(view.name, project):
            self._materializing[view.name] = view
            return True
        return self._materializing.pop(view.name, None) is view

    def _has(self, view: str, project: str) -> bool:
        try:
            self._get_any_feature_view(view, project)
        except FeatureViewNotFoundException:
            return False
        return True

    def _intervals(self, table: Any, project: str, view: FeatureView) -> list[Any]:
        """Return the registered intervals, and those of ``view`` that are not among them."""
        kind, proto = self._infer_fv_classes(view)
        columns = "feature_view_name", "feature_view_proto"
        stored = self._get_object(table, view.name, project, proto, kind, *columns, None)
        before = stored.materialization_intervals if stored is not None else []
        return list(dict.fromkeys([*before, *view.materialization_intervals]))
