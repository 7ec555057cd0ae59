"""UseCase: one folder's loop.yaml and functions, found by name."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from driftloop import loop
from driftloop.loop import LearningLoop
from driftloop_contracts.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from driftloop.labels.functions import LabellingFunction
    from driftloop.traffic import Traffic

    Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
    Positions = np.ndarray[tuple[int], np.dtype[np.int64]]

ENTRY_POINTS = "driftloop.usecases"
FOLDER_VARIABLE = "DRIFTLOOP_USECASES"


@dataclass(frozen=True)
class Span:
    """Which part of a source to replay: ``data`` None means the built-in simulator."""

    data: Path | None = None
    first: date | None = None
    last: date | None = None
    seed: int = 1

    def within(self, times: pd.Series[pd.Timestamp]) -> pd.Series[bool]:
        """Return which times (UTC) lie within the span's days, the last one whole."""
        import pandas as pd

        kept = pd.Series(True, index=times.index)
        if self.first:
            kept &= times >= pd.Timestamp(self.first, tz="UTC")
        if self.last:
            kept &= times < pd.Timestamp(self.last, tz="UTC") + pd.Timedelta(days=1)
        return kept


@dataclass(frozen=True)
class UseCase:
    """A loop with its functions, each imported from the folder when first used.

    data.py      ``read(loop, span) -> Traffic`` and ``source_name(span) -> str``
    features.py  ``compute(history, now) -> {view: frame}`` and ``feast_objects(paths)``
    labels.py    ``weighted_labels(rows) -> (positions, y, weight)``, y 0 and 1 or class names;
                 for rules of thumb, ``labelling_functions() -> list[LabellingFunction]``
    model.py     ``estimators() -> {name: callable(LearningLoop) -> scikit-learn estimator}`` and,
                 for ``training.search``, ``search_spaces() -> {name: {parameter: values}}``

    Scoping also takes, where they are, ``steps(loop, span) -> frame`` of data.py and, of rules.py
    or model.py, ``rules() -> {name: callable(frame) -> probabilities, or yes and no}``.
    """

    name: str
    folder: Path
    loop: LearningLoop

    def read(self, span: Span) -> Traffic:
        """Return the traffic of ``span``; raise InvalidInput for a file that cannot be used."""
        from driftloop import traffic

        found = _function(self._module("data"), "read")(self.loop, span)
        return traffic.require(found, self.loop, str(self.folder / "data.py"))

    def declared(self, spec: Mapping[str, Any]) -> UseCase:
        """Return the use case with another spec of its loop; raise InvalidInput for a bad one."""
        content = {
            "apiVersion": self.loop.api_version,
            "kind": self.loop.kind,
            "metadata": {"name": self.loop.name},
            "spec": spec,
        }
        return replace(self, loop=loop.parse(content, "the order's spec"))

    def source_name(self, span: Span) -> str:
        """Return which of the loop's sources ``span`` reads."""
        return str(_function(self._module("data"), "source_name")(span))

    def compute_features(self, history: pd.DataFrame, now: pd.Timestamp) -> dict[str, pd.DataFrame]:
        """Return each view's feature rows at ``now`` from ``history``, labelled rows known then."""
        from driftloop.features import computed

        rows = _function(self._module("features"), "compute")(history, now)
        return computed.require(rows, self.loop.spec.features, str(self.folder / "features.py"))

    def feast_objects(self, paths: Mapping[str, str]) -> list[Any]:
        """Return the Feast entities, views and service; ``paths``: each view's parquet files."""
        objects: list[Any] = _function(self._module("features"), "feast_objects")(self.loop, paths)
        return objects

    def registered(self, folder: str) -> list[Any]:
        """Return ``feast_objects`` over the folders ``folder/<view>``, on disk or in S3."""
        views = self.loop.spec.features.views
        return self.feast_objects({view: f"{folder}/{view}" for view in views})

    def weighted_labels(self, rows: pd.DataFrame) -> tuple[Positions, Any, Floats]:
        """Return (position in ``rows``, label, weight) of every weighted label.

        A label is 0 or 1, or one of objective.classes.
        """
        labels: tuple[Positions, Any, Floats] = _function(
            self._module("labels"), "weighted_labels"
        )(rows)
        return labels

    def has_labelling_functions(self) -> bool:
        """Return whether labels.py defines ``labelling_functions``."""
        return hasattr(self._module("labels"), "labelling_functions")

    def labelling_functions(self) -> list[LabellingFunction]:
        """Return the use case's labelling functions; raise InvalidInput where it has none."""
        found = getattr(self._module("labels"), "labelling_functions", None)
        if found is None:
            where, allowed = str(self.folder / "labels.py"), "a function of that name"
            raise InvalidInput("labelling_functions", where, allowed, "nothing")
        functions: list[LabellingFunction] = found()
        return functions

    def estimators(self) -> dict[str, Callable[[LearningLoop], Any]]:
        """Return the estimators that loop.yaml may name."""
        found: dict[str, Callable[[LearningLoop], Any]] = _function(
            self._module("model"), "estimators"
        )()
        return found

    def rules(self) -> dict[str, Callable[[pd.DataFrame], Any]]:
        """Return the use case's own rules without ML, from rules.py or model.py; none need be."""
        noun = "rules" if (self.folder / "rules.py").is_file() else "model"
        given = getattr(self._module(noun), "rules", None)
        found: dict[str, Callable[[pd.DataFrame], Any]] = given() if given else {}
        return found

    def steps(self, span: Span) -> pd.DataFrame | None:
        """Return the times of today's process, where data.py has ``steps(loop, span)``."""
        given = getattr(self._module("data"), "steps", None)
        found: pd.DataFrame | None = given(self.loop, span) if given else None
        return found

    def search_spaces(self) -> dict[str, Mapping[str, list[Any]]]:
        """Return each estimator's parameters with the values that a search may try; often none."""
        declared = getattr(self._module("model"), "search_spaces", None)
        spaces: dict[str, Mapping[str, list[Any]]] = declared() if declared else {}
        return spaces

    def _module(self, noun: str) -> ModuleType:
        return load_module(self.folder, self.name, noun)


def load_module(folder: Path, usecase: str, noun: str) -> ModuleType:
    """Import ``folder/noun.py`` as ``usecases.<usecase>.<noun>``, once a process.

    Raise InvalidInput for a file that is not there or that Python cannot read as a module.
    """
    path = folder / f"{noun}.py"
    if not path.is_file():
        raise InvalidInput(path.name, str(folder), "present", "nothing")
    _package("usecases", folder.parent)
    _package(f"usecases.{usecase}", folder)
    try:
        return importlib.import_module(f"usecases.{usecase}.{noun}")
    except (SyntaxError, ImportError) as error:
        got = f"{type(error).__name__}: {error}"
        raise InvalidInput(path.name, str(folder), "a module that imports", got) from error


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    """Return a function that every use case has; raise InvalidInput where it is not there."""
    found: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(found):
        raise InvalidInput(f"{name}()", str(module.__file__), "a function", "nothing")
    return found


def _package(name: str, folder: Path) -> None:
    """Make ``folder`` importable as the package ``name``, wherever it lies.

    What was imported from another folder of that name is forgotten.
    """
    known = sys.modules.get(name)
    if known is not None and name != "usecases" and [*known.__path__] != [str(folder)]:
        for one in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
            del sys.modules[one]
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package


def folders(environ: Mapping[str, str] = os.environ) -> dict[str, Path]:
    """Return every use case's folder by name: ``usecases/`` here, then installed packages."""
    root = Path(environ.get(FOLDER_VARIABLE, "usecases"))
    local = sorted(path.parent for path in root.glob("*/loop.yaml"))
    return {path.name: path.absolute() for path in [*_installed().values(), *local]}


def _installed() -> dict[str, Path]:
    """Return the folder of every package in the entry-point group, by the entry point's name."""
    found = {}
    for point in entry_points(group=ENTRY_POINTS):
        try:
            spec = importlib.util.find_spec(point.value)
        except ImportError:  # Of the package that it lies in.
            spec = None
        if spec is None or not spec.submodule_search_locations:
            where = f"the entry points '{ENTRY_POINTS}'"
            raise InvalidInput(f"'{point.name}'", where, "a package with a loop.yaml", point.value)
        found[point.name] = Path(next(iter(spec.submodule_search_locations))).absolute()
    return found


def find(name: str, environ: Mapping[str, str] = os.environ) -> UseCase:
    """Return the use case ``name``: its folder's, its entry point's, or its loop's name."""
    found = folders(environ)
    folder = found.get(name.replace("-", "_")) or _installed().get(name) or _declaring(name, found)
    if folder is None:
        allowed = f"one of {sorted(found)}" if found else "a folder with a loop.yaml"
        where = f"'{environ.get(FOLDER_VARIABLE, 'usecases')}/' or the installed packages"
        raise InvalidInput("the use case", where, allowed, name)
    return UseCase(folder.name, folder, loop.read(folder / "loop.yaml"))


def _declaring(name: str, found: Mapping[str, Path]) -> Path | None:
    """Return the folder whose loop has the ``name``, which need not be the folder's."""
    for folder in found.values():
        try:
            if loop.read(folder / "loop.yaml").name == name:
                return folder
        except InvalidInput:  # Somebody else's fault, who will be told when it is asked for.
            continue
    return None
