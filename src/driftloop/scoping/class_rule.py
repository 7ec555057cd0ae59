"""Class rule: the best that can be done without ML where an outcome is one of several classes.

As rule.py for two outcomes: always the same shares, one question, and two questions one after the
other. A question is a threshold of a number, or whether a category is one of the commonest. A use
case's own rule names a class for each row, or gives every class a probability; a rule that names
classes gets, for each name, the shares of the earlier rows that it names so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from driftloop.evaluation.loss import Floats
from driftloop.scoping.rule import LEAST_LEAF, PRIOR, Judged, Predict, Rule
from driftloop.training.target import Answers, Classes
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

COMMONEST = 20
"""Values of a category that are asked for."""
SURE = 1e-6
"""How far a rule's probabilities may be from a sum of 1."""
Encode = Callable[[pd.DataFrame], pd.DataFrame]


def judged(
    early: pd.DataFrame,
    late: pd.DataFrame,
    columns: Sequence[str],
    classes: Sequence[str],
    given: Mapping[str, Predict] | None = None,
) -> list[Judged]:
    """Return every rule, fitted on ``early`` and judged on ``late`` rows, the best first.

    Both frames: ``columns``, ``weight`` (impressions) and ``category``, one of ``classes``;
    ``given``: the use case's own rules. Losses are cross-entropies in nats. Raise InvalidInput for
    an answer that cannot be used.
    """
    target = Classes(tuple(classes))
    rules = found(early, columns, target)
    rules += [_own(name, call, early, target) for name, call in (given or {}).items()]
    scored = [_judge(rule, late, target) for rule in rules]
    return sorted(scored, key=lambda one: one.loss)


def found(rows: pd.DataFrame, columns: Sequence[str], target: Classes) -> list[Rule]:
    """Return the constant and the trees of one and of two questions, fitted on ``rows``."""
    base = target.base(rows)
    likeliest = target.names[int(base.argmax())]
    says = f"Always {likeliest} ({base.max():.3g}), and the others by their shares."
    constant = Rule("constant", says, lambda frame: np.tile(base, (len(frame), 1)))
    trees = [_tree(rows, columns, target, depth) for depth in (1, 2)] if columns else []
    return [constant, *trees]


def _own(name: str, call: Predict, rows: pd.DataFrame, target: Classes) -> Rule:
    """Return a use case's rule; one that names classes gets the shares of ``rows``."""
    values = _answers(name, call, rows, target)
    if values.ndim == 2:
        return Rule(name, "As the use case gives it.", call)
    base = target.base(rows)
    shares = np.stack([_shares(rows[values == one], base, target) for one in target.names])

    def predict(frame: pd.DataFrame) -> Floats:
        named = pd.Index(target.names).get_indexer(_answers(name, call, frame, target))
        given: Floats = shares[named]
        return given

    return Rule(name, "As the use case gives it, by how often each answer was right.", predict)


def _shares(rows: pd.DataFrame, base: Floats, target: Classes) -> Floats:
    counts = rows.groupby(CATEGORY)["weight"].sum().reindex(target.names, fill_value=0.0)
    sums: Floats = counts.to_numpy("float64") + PRIOR * base
    shares: Floats = sums / sums.sum()
    return shares


def _judge(rule: Rule, late: pd.DataFrame, target: Classes) -> Judged:
    probabilities = _answers(rule.name, rule.predict, late, target)
    losses = target.judge(Answers(probabilities.max(axis=1), None, probabilities), late).loss
    return Judged(rule, losses, float(losses.sum() / late["weight"].sum()))


def _answers(name: str, call: Predict, rows: pd.DataFrame, target: Classes) -> Any:
    values = np.asarray(call(rows))
    if values.ndim == 1 and len(values) == len(rows) and {*values.tolist()} <= {*target.names}:
        return values.astype(object)
    is_each = values.shape == (len(rows), len(target.names)) and values.dtype.kind == "f"
    if is_each and (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=SURE):
        return values
    allowed = "a class, or a probability of every class, for each row"
    raise InvalidInput(f"what '{name}' answers", "the rules", allowed, f"{values.shape} values")


def _encoder(rows: pd.DataFrame, columns: Sequence[str]) -> Encode:
    """Return what turns ``columns`` into numbers: a category into its commonest, yes or no."""
    words = [name for name in columns if not pd.api.types.is_numeric_dtype(rows[name])]
    common = {name: rows[name].astype(str).value_counts().index[:COMMONEST] for name in words}

    def encode(frame: pd.DataFrame) -> pd.DataFrame:
        made: dict[str, Any] = {}
        for name in columns:
            if name in common:
                shown = frame[name].astype(str)
                made |= {f"{name} is {one}": (shown == one).to_numpy() for one in common[name]}
            else:
                numbers = frame[name].to_numpy("float64")
                made[name] = np.where(np.abs(numbers) < 1e30, numbers, np.nan)
        return pd.DataFrame(made, dtype="float64")

    return encode


def _tree(rows: pd.DataFrame, columns: Sequence[str], target: Classes, depth: int) -> Rule:
    """Return a tree of so many questions one after the other."""
    encode, base = _encoder(rows, columns), target.base(rows)
    inputs = encode(rows)
    tree = DecisionTreeClassifier(
        max_depth=depth, criterion="log_loss", min_weight_fraction_leaf=LEAST_LEAF, random_state=0
    )
    tree.fit(inputs.to_numpy(), rows[CATEGORY].astype(str), rows["weight"])
    leaf = tree.apply(inputs.to_numpy())
    shares = {one: _shares(rows[leaf == one], base, target) for one in np.unique(leaf)}

    def predict(frame: pd.DataFrame) -> Floats:
        return np.stack([shares[one] for one in tree.apply(encode(frame).to_numpy())])

    says = _says(tree.tree_, [*map(str, inputs)], shares, target.names, 0) + "."
    return Rule("one question" if depth == 1 else "tree of depth 2", says, predict)


def _says(
    tree: Any, names: Sequence[str], shares: Mapping[int, Floats], classes: Sequence[str], node: int
) -> str:
    """Return a node in words: a leaf is its likeliest class."""
    if tree.children_left[node] < 0:
        return f"{classes[int(shares[node].argmax())]} ({shares[node].max():.3g})"
    name = names[tree.feature[node]]
    asks = f"not {name}" if " is " in name else f"{name} <= {tree.threshold[node]:.3g}"
    left, right = (
        _says(tree, names, shares, classes, int(side[node]))
        for side in (tree.children_left, tree.children_right)
    )
    return f"({left} if {asks} else {right})" if node else f"{left} if {asks}, else {right}"
