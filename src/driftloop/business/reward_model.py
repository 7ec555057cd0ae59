"""Reward model: what each action would bring, for doubly robust estimates, cross-fitted.

A round's expected rewards come from a model that was fitted on other rounds, of other groups, so
that its own luck is not in them (Chernozhukov et al., 2018). The stock model is a ridge regression
on the context, the action, and the context within the action, as stiff as the rounds it is fitted
on ask for: where rewards are rare, all actions are expected to bring about the same. Any regressor
may take its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from driftloop.business import weights
from driftloop.business.off_policy import Expected
from driftloop.business.weights import Floats
from driftloop_contracts.errors import InvalidInput

FOLDS = 5
STIFFNESS = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
"""Penalties of which leave-one-out chooses one, within the rounds that the model is fitted on."""


def ridge() -> Any:
    """Return the stock model."""
    from sklearn.linear_model import RidgeCV

    return RidgeCV(alphas=STIFFNESS)


def cross_fitted(
    context: ArrayLike,
    action: ArrayLike,
    reward: ArrayLike,
    target: ArrayLike,
    rng: np.random.Generator,
    *,
    count: ArrayLike | None = None,
    group: ArrayLike | None = None,
    model: Callable[[], Any] = ridge,
) -> Expected:
    """Return the expected rewards of the logged actions and of the judged policy's.

    ``context``: numbers, [rounds, features]; ``action``: codes 0, 1, ... [rounds]; ``target``: the
    judged policy's probability of every action, [rounds, actions]; ``reward`` and ``count``: of
    the rows as ``off_policy.Rounds`` has them; ``group``: rows of a group share a fold; ``model``:
    makes an unfitted regressor that takes sample weights. Raise InvalidInput where shapes differ.
    """
    wanted, contexts = np.asarray(target, "float64"), np.asarray(context, "float64")
    rewards = weights.checked("reward", reward)
    counts = np.ones(len(rewards)) if count is None else np.asarray(count, "float64")
    codes = _codes(action, wanted, contexts, len(rewards))
    fold = _folds(np.arange(len(rewards)) if group is None else np.asarray(group), rng)
    logged, judged = np.zeros(len(rewards)), np.zeros(len(rewards))
    for each in range(FOLDS):
        mine, others = fold == each, fold != each
        if not mine.any() or not others.any():
            continue  # Without other rounds nothing is expected: 0, and dr is ips.
        x = _design(contexts[others], codes[others], wanted.shape[1])
        fitted = model().fit(x, rewards[others] / counts[others], sample_weight=counts[others])
        every = _every_action(fitted, contexts[mine], wanted.shape[1])
        logged[mine] = np.take_along_axis(every, codes[mine, None], axis=1)[:, 0]
        judged[mine] = (every * wanted[mine]).sum(axis=1)
    return Expected(logged, judged)


def _codes(action: ArrayLike, target: Floats, context: Floats, rounds: int) -> Any:
    codes = np.asarray(action)
    if target.ndim != 2 or context.ndim != 2 or len(target) != rounds or len(context) != rounds:
        shapes = [list(context.shape), list(target.shape)]
        allowed = f"{rounds} rows, one a round, each"
        raise InvalidInput("contexts and target probabilities", weights.WHERE, allowed, shapes)
    if not np.issubdtype(codes.dtype, np.integer) or len(codes) != rounds:
        raise InvalidInput("actions", weights.WHERE, "a whole number for each round", codes.dtype)
    if codes.min() < 0 or codes.max() >= target.shape[1]:
        allowed = f"from 0 to {target.shape[1] - 1}"
        raise InvalidInput("actions", weights.WHERE, allowed, int(codes.max()))
    sums = target.sum(axis=1)
    if not (np.abs(sums - 1) < 1e-6).all() or (target < 0).any():
        worst = float(sums[np.nanargmax(np.abs(sums - 1))]) if np.isfinite(sums).any() else None
        raise InvalidInput("target probabilities", weights.WHERE, "1 in sum for each round", worst)
    return codes


def _folds(group: Any, rng: np.random.Generator) -> Any:
    codes, names = pd.factorize(group, use_na_sentinel=False)
    return (rng.permutation(len(names)) % FOLDS)[codes]


def _design(context: Floats, action: Any, actions: int) -> Floats:
    """Return [context, action, context within action], [rounds, d + k + k d]."""
    chosen = np.eye(actions)[action]
    within = (chosen[:, :, None] * context[:, None, :]).reshape(len(context), -1)
    found: Floats = np.concatenate([context, chosen, within], axis=1)
    return found


def _every_action(fitted: Any, context: Floats, actions: int) -> Floats:
    """Return the expected reward of every action, [rounds, actions]."""
    rows = len(context)
    each = [_design(context, np.full(rows, action), actions) for action in range(actions)]
    found: Floats = np.stack([fitted.predict(x) for x in each], axis=1)
    return found
