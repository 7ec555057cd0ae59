"""Policy: how probable each action is, from what each one is expected to bring."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from driftloop.business.weights import Floats
from driftloop_contracts.errors import InvalidInput

WHERE = "a policy"


def epsilon_greedy(scores: ArrayLike, epsilon: float) -> Floats:
    """Return probabilities [rounds, actions]: the best action, but ``epsilon`` over all alike.

    >>> epsilon_greedy([[0.1, 0.3]], 0.2).tolist()
    [[0.1, 0.9]]
    """
    values = _scores(scores)
    if not 0 <= epsilon <= 1:
        raise InvalidInput("epsilon", WHERE, "from 0 to 1", epsilon)
    rounds, actions = values.shape
    found = np.full((rounds, actions), epsilon / actions)
    found[np.arange(rounds), values.argmax(axis=1)] += 1 - epsilon
    return found


def softmax(scores: ArrayLike, temperature: float) -> Floats:
    """Return probabilities [rounds, actions] that grow with the scores over a temperature.

    >>> softmax([[0.0, 0.0]], 1.0).tolist()
    [[0.5, 0.5]]
    """
    values = _scores(scores)
    if not temperature > 0:
        raise InvalidInput("temperature", WHERE, "above 0", temperature)
    grown = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
    found: Floats = grown / grown.sum(axis=1, keepdims=True)
    return found


def of_chosen(probabilities: ArrayLike, action: ArrayLike) -> Floats:
    """Return each round's probability of the action that was chosen, by its code.

    >>> of_chosen([[0.1, 0.9], [0.3, 0.7]], [1, 0]).tolist()
    [0.9, 0.3]
    """
    table, codes = _scores(probabilities), np.asarray(action)
    if len(codes) != len(table) or codes.min() < 0 or codes.max() >= table.shape[1]:
        allowed = f"{len(table)} codes from 0 to {table.shape[1] - 1}"
        raise InvalidInput("the actions", WHERE, allowed, [len(codes), int(codes.max())])
    found: Floats = np.take_along_axis(table, codes[:, None].astype(int), axis=1)[:, 0]
    return found


def _scores(scores: ArrayLike) -> Floats:
    values = np.asarray(scores, "float64")
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        allowed = "finite numbers, [rounds, actions]"
        raise InvalidInput("scores", WHERE, allowed, list(values.shape))
    return values
