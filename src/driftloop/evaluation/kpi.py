"""KPI: the formula that loop.yaml writes over a cohort's numbers."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from driftloop_contracts.errors import InvalidInput

OPERATORS: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
"""What a formula may do; everything else is refused, so a formula is no code."""


def evaluate(formula: str, values: Mapping[str, float]) -> float | None:
    """Return the formula's value, or None where it divides by zero.

    Names are those of ``values``; only + - * / and parentheses are allowed.

    >>> evaluate("1 - log_loss / base_entropy", {"log_loss": 0.1, "base_entropy": 0.2})
    0.5
    """
    try:
        return float(_value(ast.parse(formula, mode="eval").body, values))
    except ZeroDivisionError:
        return None
    except (SyntaxError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        allowed = f"+ - * / over {sorted(values)}"
        raise InvalidInput("objective.kpi.formula", "loop.yaml", allowed, formula) from error


def names(formula: str) -> set[str]:
    """Return the names that a formula uses; those of a text that is no formula are none.

    >>> sorted(names("clicks / impressions + 1"))
    ['clicks', 'impressions']
    """
    try:
        nodes = ast.walk(ast.parse(formula, mode="eval"))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def evaluate_each(formula: str, values: Mapping[str, Any]) -> Any:
    """Return the formula's value for each number of the arrays in ``values``, all of one length.

    Where it divides by zero the value is not finite.

    >>> evaluate_each("a / b", {"a": np.array([1.0, 2.0]), "b": np.array([2.0, 0.0])}).tolist()
    [0.5, inf]
    """
    length = len(next(iter(values.values())))
    evaluate(formula, {name: 1.0 for name in values})  # refuses what is no formula
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found = np.asarray(_value(ast.parse(formula, mode="eval").body, values), "float64")
    return np.broadcast_to(found, (length,))


def _value(node: ast.AST, values: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    raise TypeError(ast.dump(node))
