"""The model as a skops file: no pickle, and only types that were reviewed may load.

Source: skops.io refuses every type that the caller has not named as trusted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from driftloop.bundle.canonical import canonical
from driftloop_contracts.errors import BundleRefused

REVIEWED_TYPES = frozenset(
    {
        "driftloop.training.corrected.Corrected",
        "driftloop.training.hashed.HashedLinear",
        "numpy.dtype",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.compose._column_transformer._RemainderColsList",
        "sklearn.model_selection._split.KFold",
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "driftloop.training.text.HashedText",
        "_loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfBinomialLoss",
    }
)
"""Types beyond skops' own list that a bundle may hold; each only carries numbers or arrays."""


def dump(model: Any) -> bytes:
    """Return ``model`` as skops bytes, the same ones each time.

    Raise BundleRefused where it holds an unreviewed type.
    """
    from skops import io

    content = canonical(io.dumps(model))
    _review(io.get_untrusted_types(data=content), "The model")
    return content


def load(path: Path) -> Any:
    """Return the model in the skops file ``path``; raise BundleRefused for an unreviewed type."""
    from skops import io

    found = io.get_untrusted_types(file=path)
    _review(found, str(path))
    return io.load(path, trusted=found)


def _review(types: list[str], what: str) -> None:
    unknown = sorted(set(types) - REVIEWED_TYPES)
    if unknown:
        raise BundleRefused(f"{what} holds types nobody reviewed: {', '.join(unknown)}.")
