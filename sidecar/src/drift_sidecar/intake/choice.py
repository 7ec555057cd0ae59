"""Choice: the one number of a prediction that is kept."""

from __future__ import annotations

import math

from driftloop_contracts.errors import InvalidInput

WHERE = "an inference response"
SETTING = "DRIFTLOOP_PREDICTION"
"""Names the position, the key or the output that is kept where there are several."""


def number(prediction: object, chosen: str) -> float | None:
    """Return the number that stands for one instance's prediction; None for null.

    ``chosen``: position in a list or key of an object; empty where there is one number only.

    >>> number(0.5, ""), number([0.5], ""), number([0.4, 0.6], "1"), number({"p": 1}, "p")
    (0.5, 0.5, 0.6, 1.0)
    """
    picked = _picked(prediction, chosen)
    if picked is None:
        return None
    if isinstance(picked, int | float) and abs(picked) <= _LARGEST:
        return float(picked)
    allowed = f"one finite number an instance, or chosen by {SETTING}"
    raise InvalidInput("predictions", WHERE, allowed, prediction)


_LARGEST = math.nextafter(math.inf, 0)


def _picked(prediction: object, chosen: str) -> object:
    if isinstance(prediction, dict):
        values = list(prediction.values())
        return prediction.get(chosen, values[0] if len(values) == 1 else prediction)
    if isinstance(prediction, list):
        if len(prediction) == 1:
            return prediction[0]
        at = int(chosen) if chosen.isascii() and chosen.isdigit() else len(prediction)
        return prediction[at] if at < len(prediction) else prediction
    return prediction
