"""The detectors that the sidecar uses, on what the lock leaves of Alibi Detect's dependencies.

``STOCK`` was measured in an environment with all of them (README, "Stock dependencies"), from the
same draws; these tests pass there too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alibi_detect.cd import (
    ClassifierDrift,
    CVMDriftOnline,
    FETDrift,
    FETDriftOnline,
    TabularDrift,
)
from alibi_detect.saving import load_detector, save_detector
from sklearn.linear_model import LogisticRegression
from transformers import AutoTokenizer, PreTrainedTokenizerBase

ROWS = 2000
STOCK = {
    "KS": {"distance": 0.042500000447034836, "p_val": 0.052425384521484375},
    "chi-square": {"distance": 28.781774520874023, "p_val": 5.624931986858428e-07},
    "FET": {"distance": 1.6549971767363072, "p_val": 0.004735876644071934},
    "classifier": {
        "distance": 0.052999999999999936,
        "p_val": 0.00042358034030229227,
        "probability": 0.49677242843711605,
    },
}
LEAN = "drift-sidecar-absent" in {one.name for one in metadata.distributions()}
needs_lean = pytest.mark.skipif(not LEAN, reason="Here are the stock dependencies.")


def normal(mean: float, seed: int) -> Any:
    return np.random.default_rng(seed).normal(mean, size=(ROWS, 1))


def level(shares: list[float], seed: int) -> Any:
    return np.random.default_rng(seed).choice(len(shares), (ROWS, 1), p=shares).astype(np.float64)


def correlated(rho: float, seed: int) -> Any:
    covariance = [[1.0, rho], [rho, 1.0]]
    return np.random.default_rng(seed).multivariate_normal([0.0, 0.0], covariance, ROWS)


def kolmogorov_smirnov() -> Mapping[str, Any]:
    return told(TabularDrift(normal(0.0, 1), categories_per_feature={}), normal(0.1, 2))


def chi_square() -> Mapping[str, Any]:
    usual, fresh = level([0.5, 0.3, 0.2], 3), level([0.45, 0.3, 0.25], 4)
    return told(TabularDrift(usual, categories_per_feature={0: None}), fresh)


def fisher() -> Mapping[str, Any]:
    usual, fresh = level([0.98, 0.02], 5), level([0.96, 0.04], 6)
    detector = FETDrift(usual.astype(np.int64), alternative="greater")
    return told(detector, fresh.astype(np.int64))


def told(detector: Any, fresh: Any) -> Mapping[str, Any]:
    data: Mapping[str, Any] = detector.predict(fresh, drift_type="feature")["data"]
    return {"distance": data["distance"][0], "p_val": data["p_val"][0]}


def classifier() -> Mapping[str, Any]:
    def squared(rows: Any) -> Any:
        return np.column_stack([rows, rows[:, 0] * rows[:, 1]])

    detector = ClassifierDrift(
        squared(correlated(0.0, 7)),
        LogisticRegression(),
        backend="sklearn",
        binarize_preds=True,
        n_folds=2,
        seed=8,
    )
    data = detector.predict(squared(correlated(0.2, 9)))["data"]
    probability = np.mean(data["probs_ref"])
    return {"distance": data["distance"], "p_val": data["p_val"], "probability": probability}


DETECTORS: dict[str, Callable[[], Mapping[str, Any]]] = {
    "KS": kolmogorov_smirnov,
    "chi-square": chi_square,
    "FET": fisher,
    "classifier": classifier,
}


@pytest.mark.filterwarnings("ignore:'binom_test' is deprecated")
@pytest.mark.parametrize("name", sorted(STOCK))
def test_a_detector_measures_what_it_does_on_stock_dependencies(name: str) -> None:
    assert DETECTORS[name]() == pytest.approx(STOCK[name], rel=1e-6)


def test_a_detector_is_saved_and_loaded(tmp_path: Path) -> None:
    detector, fresh = TabularDrift(normal(0.0, 1), categories_per_feature={}), normal(0.1, 2)
    save_detector(detector, tmp_path)
    assert told(load_detector(tmp_path), fresh) == told(detector, fresh)


@needs_lean
def test_an_online_detector_says_that_numba_is_left_out() -> None:
    with pytest.raises(ImportError, match="needs numba.*stock dependencies"):
        CVMDriftOnline(normal(0.0, 1)[:100], ert=50, window_sizes=[10], n_bootstraps=10)
    with pytest.raises(ImportError, match="needs numba.*stock dependencies"):
        FETDriftOnline(level([0.5, 0.5], 1).astype(np.int64)[:100], ert=50, window_sizes=[10])


@needs_lean
def test_a_tokenizer_says_that_transformers_is_left_out() -> None:
    with pytest.raises(ImportError, match="AutoTokenizer needs transformers.*stock dependencies"):
        AutoTokenizer.from_pretrained("any")
    with pytest.raises(ImportError, match="needs transformers"):
        PreTrainedTokenizerBase()


@needs_lean
def test_what_is_left_out_is_not_installed() -> None:
    absent = {"matplotlib", "numba", "opencv-python", "pandas", "pillow", "requests"}
    absent |= {"scikit-image", "transformers"}
    assert not absent & {one.name.lower() for one in metadata.distributions()}
