"""Estimators: the stock one for texts."""

from driftloop.training import text


def estimators():
    """Return the estimators that loop.yaml may name."""
    return {"hashed_text": lambda loop: text.hashed_text(loop).set_params(places=1 << 12)}
