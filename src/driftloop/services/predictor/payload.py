"""Payload: a V1 or V2 request as a frame of rows, checked column by column. Pure.

Beside the model's columns a request may have a ``weight`` and propensities, null in a row that was
no choice. Those that are not ``logged`` are passed over, so that neither a declaration nor a bundle
that is older or newer than its callers makes them fail.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from driftloop.spec.features import Features
from driftloop_contracts import text
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import (
    LEAST_PROPENSITY,
    MAX_ROWS,
    MAX_WEIGHT,
    PROPENSITY,
    is_propensity,
)

WHERE = "the request"
WEIGHT = "weight"
Texts = np.ndarray[Any, np.dtype[np.object_]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


class Tensor(Protocol):
    """What this module needs of KServe's InferInput."""

    name: str
    shape: Sequence[int]

    def as_numpy(self) -> Any:
        """Return the values as an array."""


def from_v1(body: object, features: Features, logged: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows of ``{"instances": [{column: value}, ...]}``."""
    instances = body.get("instances") if isinstance(body, Mapping) else None
    if not isinstance(instances, list) or not 0 < len(instances) <= MAX_ROWS:
        got = len(instances) if isinstance(instances, list) else instances
        raise InvalidInput("instances", WHERE, f"a list of 1 to {MAX_ROWS} objects", got)
    wanted, optional = _columns(features), (WEIGHT, *logged)
    known, given = {*wanted, *optional}, set[str]()
    for instance in instances:
        if not isinstance(instance, Mapping):
            raise InvalidInput("an instance", WHERE, "an object of named values", instance)
        if not instance.keys() <= known:
            _refuse_odd(instance.keys() - known, known)
        given |= instance.keys()
    names = [*wanted, *(name for name in optional if name in given)]
    columns = {name: _column(instances, name) for name in names}
    return _frame(columns, features, logged)


def from_v2(
    inputs: Sequence[Tensor], features: Features, logged: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the rows of one tensor of shape [n] or [n, 1] per column."""
    given = {tensor.name: tensor for tensor in inputs}
    wanted = _columns(features)
    known = [*wanted, WEIGHT, *logged]
    _refuse_odd(given.keys() - {*known}, known, "input")
    columns: dict[str, list[Any]] = {}
    for name in known:
        if name in given:
            columns[name] = _values(given[name])
        elif name in wanted:
            raise InvalidInput(f"input '{name}'", WHERE, "present", "nothing")
    sizes = {len(column) for column in columns.values()}
    if len(sizes) != 1 or not 0 < max(sizes) <= MAX_ROWS:
        allowed = f"of one length from 1 to {MAX_ROWS}"
        raise InvalidInput("the inputs", WHERE, allowed, sorted(sizes))
    return _frame(columns, features, logged)


def _refuse_odd(odd: Collection[str], known: Collection[str], what: str = "column") -> None:
    """Raise InvalidInput for the first name that is not even a propensity's."""
    for name in sorted(odd, key=str):
        if not is_propensity(str(name)):
            raise InvalidInput(f"{what} '{name}'", WHERE, f"one of {sorted(known)}", name)


def _columns(features: Features) -> list[str]:
    return [*features.entities, *features.names(origin="request")]


def _column(instances: list[Mapping[str, Any]], name: str) -> list[Any]:
    try:
        return [instance[name] for instance in instances]
    except KeyError:
        raise InvalidInput(
            f"column '{name}'", WHERE, "present in every instance", "nothing"
        ) from None


def _values(tensor: Tensor) -> list[Any]:
    array = np.asarray(tensor.as_numpy())
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] != 1):
        allowed = "of shape [n] or [n, 1]"
        raise InvalidInput(f"input '{tensor.name}'", WHERE, allowed, list(array.shape))
    values: list[Any] = array.reshape(-1).tolist()
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]


def _frame(
    columns: dict[str, list[Any]], features: Features, logged: Sequence[str]
) -> pd.DataFrame:
    numeric = {*features.names("numeric"), WEIGHT, *logged}
    checked: dict[str, Any] = {}
    for name, values in columns.items():
        if name in features.entities:
            checked[name] = _keys(name, values)
        else:
            checked[name] = _numbers(name, values) if name in numeric else _texts(name, values)
        if name in features.names("text"):
            checked[name] = _bounded(checked[name])
    size = len(next(iter(checked.values())))
    weight = checked.setdefault(WEIGHT, np.ones(size))
    sound = (weight >= 1) & (weight <= MAX_WEIGHT)
    if not sound.all():
        allowed = f"numbers from 1 to {MAX_WEIGHT:g}"
        raise InvalidInput(f"column '{WEIGHT}'", WHERE, allowed, weight[~sound][0])
    for name in logged:
        _check_chances(name, checked.setdefault(name, np.full(size, np.nan)))
    return pd.DataFrame(checked)


def _check_chances(name: str, values: Floats) -> None:
    """Raise InvalidInput unless all are probabilities; what was chosen had a chance above 0."""
    least = LEAST_PROPENSITY if name == PROPENSITY else 0
    odd = ~np.isnan(values) & ~((values >= least) & (values <= 1))
    if odd.any():
        allowed = f"null, or numbers from {least:g} to 1"
        raise InvalidInput(f"column '{name}'", WHERE, allowed, values[odd][0])


def _bounded(texts: Texts) -> Texts:
    """Return texts cut where models stop to read; a missing one stays missing."""
    cut = [None if value is None else text.bounded(value) for value in texts]
    return np.array(cut, dtype=object)


def _keys(name: str, values: list[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 63:
            raise InvalidInput(f"column '{name}'", WHERE, "64-bit integers", value)
    return np.array(values, dtype="int64")


def _numbers(name: str, values: list[Any]) -> Floats:
    for value in values:
        if isinstance(value, bool) or not (value is None or isinstance(value, int | float)):
            raise InvalidInput(f"column '{name}'", WHERE, "numbers or null", value)
    numbers = np.array([np.nan if value is None else value for value in values], dtype="float64")
    if np.isinf(numbers).any():
        raise InvalidInput(f"column '{name}'", WHERE, "finite numbers or null", "infinity")
    return numbers


def _texts(name: str, values: list[Any]) -> Texts:
    for value in values:
        if not (value is None or isinstance(value, str)):
            raise InvalidInput(f"column '{name}'", WHERE, "strings or null", value)
    return np.array(values, dtype=object)
