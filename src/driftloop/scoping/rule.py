"""Rule: the best that can be done without ML, which ML has to beat.

Found by itself: always the same rate, one threshold, and a tree of depth two (two questions). A
category is asked by its rate of positives, the best order for a split of two classes (Fisher,
1958; Breiman et al., 1984), shrunk where it was seen seldom. A use case may give its own. Rules are
fitted on the earlier rows and the best is chosen on the later rows that also judge ML, which is in
the rules' favour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier

from driftloop.evaluation import loss
from driftloop.evaluation.loss import Floats
from driftloop_contracts.errors import InvalidInput

Predict = Callable[[pd.DataFrame], Any]

PRIOR = 20.0
"""Impressions at the overall rate that a category, or an answer of a rule, starts from."""
LEAST_LEAF = 0.01
"""Share of the impressions that an answer needs."""
COLUMNS = ("weight", "positives")


@dataclass(frozen=True)
class Rule:
    """A rule's ``name``, what it ``says`` in words, and its probability of a positive by row."""

    name: str
    says: str
    predict: Predict


@dataclass(frozen=True)
class Judged:
    """A rule with its loss: of each later row in nats, and per impression."""

    rule: Rule
    losses: Floats
    loss: float

    def to_data(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {"name": self.rule.name, "says": self.rule.says, "log_loss": self.loss}


def judged(
    early: pd.DataFrame,
    late: pd.DataFrame,
    columns: Sequence[str],
    given: Mapping[str, Predict] | None = None,
) -> list[Judged]:
    """Return every rule, fitted on ``early`` and judged on ``late`` rows, the best first.

    Both frames: ``columns``, ``weight`` (impressions) and ``positives`` (0 to weight); ``given``:
    the use case's own rules, each from a frame to a probability, or to a yes or no, whose two
    rates are then taken from the early rows. Raise InvalidInput for a frame or an answer that
    cannot be used.
    """
    for name, frame in (("the earlier rows", early), ("the later rows", late)):
        _require(frame, columns, name)
    rules = found(early, columns) + [own(n, call, early) for n, call in (given or {}).items()]
    scored = [_judge(rule, late) for rule in rules]
    return sorted(scored, key=lambda one: one.loss)


def found(rows: pd.DataFrame, columns: Sequence[str]) -> list[Rule]:
    """Return the constant, the threshold and the tree fitted on ``rows``."""
    rate = _rate(rows)
    constant = Rule("constant", f"Always {rate:.3g}.", lambda frame: np.full(len(frame), rate))
    encode = _encoder(rows, columns, rate)
    trees = [_tree(rows, columns, encode, depth) for depth in (1, 2)] if columns else []
    return [constant, *trees]


def own(name: str, call: Predict, rows: pd.DataFrame) -> Rule:
    """Return a use case's rule; one that says yes or no gets the rates of ``rows``."""
    values = _answers(name, call, rows)
    if not np.isin(values, (0.0, 1.0)).all():
        return Rule(name, "As the use case gives it.", call)
    usual = _rate(rows)
    rates = [_rate(rows[values == side], usual) for side in (0.0, 1.0)]
    says = f"As the use case gives it: yes is {rates[1]:.3g}, no is {rates[0]:.3g}."

    def predict(frame: pd.DataFrame) -> Floats:
        return np.where(_answers(name, call, frame) == 1.0, rates[1], rates[0])

    return Rule(name, says, predict)


def _judge(rule: Rule, late: pd.DataFrame) -> Judged:
    probability = _answers(rule.name, rule.predict, late)
    losses = loss.log_loss(probability, late["positives"], late["weight"])
    return Judged(rule, losses, float(losses.sum() / late["weight"].sum()))


def _answers(name: str, call: Predict, rows: pd.DataFrame) -> Floats:
    values: Floats = np.asarray(call(rows), "float64").reshape(-1)
    if len(values) != len(rows) or not ((values >= 0) & (values <= 1)).all():
        allowed = "one probability, or a yes or no, for each row"
        raise InvalidInput(f"what '{name}' answers", "the rules", allowed, f"{len(values)} values")
    return values


def _require(rows: pd.DataFrame, columns: Sequence[str], where: str) -> None:
    for name in (*COLUMNS, *columns):
        if name not in rows:
            raise InvalidInput(f"column '{name}'", where, "present", "nothing")
    k, n = rows["positives"], rows["weight"]
    if rows.empty or not ((k >= 0) & (k <= n) & (n > 0) & np.isfinite(n)).all():
        raise InvalidInput("positives", where, "0 to the weight in one or more rows", "others")


def _rate(rows: pd.DataFrame, usual: float | None = None) -> float:
    k, n = float(rows["positives"].sum()), float(rows["weight"].sum())
    return (k + 0.5) / (n + 1) if usual is None else (k + PRIOR * usual) / (n + PRIOR)


def _encoder(
    rows: pd.DataFrame, columns: Sequence[str], rate: float
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return what turns ``columns`` into numbers: a category into its rate."""
    maps: dict[str, Any] = {}
    for name in columns:
        if not pd.api.types.is_numeric_dtype(rows[name]):
            sums = rows.groupby(rows[name].astype(str))[list(COLUMNS)].sum()
            rates = (sums["positives"] + PRIOR * rate) / (sums["weight"] + PRIOR)
            maps[name] = rates.to_dict()

    def encode(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({n: _numbers(frame[n], maps.get(n), rate) for n in columns})

    return encode


def _numbers(values: pd.Series[Any], rates: dict[str, float] | None, rate: float) -> Any:
    if rates is not None:
        return values.astype(str).map(rates).fillna(rate).to_numpy("float64")
    numbers = values.to_numpy("float64")
    # A tree's numbers are of single precision.
    return np.where(np.abs(numbers) < 1e30, numbers, np.nan)


def _tree(
    rows: pd.DataFrame,
    columns: Sequence[str],
    encode: Callable[[pd.DataFrame], pd.DataFrame],
    depth: int,
) -> Rule:
    """Return a tree of so many questions one after the other."""
    inputs = encode(rows).to_numpy()
    k, n = rows["positives"].to_numpy("float64"), rows["weight"].to_numpy("float64")
    tree = DecisionTreeClassifier(
        max_depth=depth, criterion="log_loss", min_weight_fraction_leaf=LEAST_LEAF, random_state=0
    )
    labels = np.repeat([1, 0], len(rows))
    tree.fit(np.concatenate([inputs, inputs]), labels, np.concatenate([k, n - k]) + 1e-12)

    def predict(frame: pd.DataFrame) -> Floats:
        found: Floats = tree.predict_proba(encode(frame).to_numpy())[:, 1]
        return found

    is_rate = [not pd.api.types.is_numeric_dtype(rows[name]) for name in columns]
    names = [f"rate of {c}" if r else c for c, r in zip(columns, is_rate, strict=True)]
    says = _says(tree.tree_, names, 0) + "."
    return Rule("one threshold" if depth == 1 else "tree of depth 2", says, predict)


def _says(tree: Any, names: Sequence[str], node: int) -> str:
    """Return a node in words."""
    if tree.children_left[node] < 0:
        _, positive = tree.value[node][0] / tree.value[node][0].sum()
        return f"{positive:.3g}"
    asks = f"{names[tree.feature[node]]} <= {tree.threshold[node]:.3g}"
    left, right = (
        _says(tree, names, int(side[node])) for side in (tree.children_left, tree.children_right)
    )
    return f"({left} if {asks} else {right})" if node else f"{left} if {asks}, else {right}"
