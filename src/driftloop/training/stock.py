"""Stock: estimators that suit most tables, a linear model (calibrated or not), gradient boosting.

All are pipelines whose last step takes the sample weights, made of stock scikit-learn parts,
so that skops can store them.
"""

from __future__ import annotations

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from driftloop.loop import LearningLoop

MISSING = "missing"
SEED = 0


def linear(loop: LearningLoop) -> Pipeline:
    """Return logistic regression as it is fitted, for probabilities that need no scaling."""
    return Pipeline([("inputs", _inputs(loop)), ("model", _regression())])


def logistic(loop: LearningLoop) -> Pipeline:
    """Return logistic regression with Platt scaling over blocks of time."""
    # Unshuffled folds are blocks of time: the scaling is learned on other days than the weights.
    # Stratified ones would balance rows, not weights, and calibrate worse.
    calibrated = CalibratedClassifierCV(
        _regression(), method="sigmoid", cv=KFold(3), ensemble=False
    )
    return Pipeline([("inputs", _inputs(loop)), ("model", calibrated)])


def _regression() -> LogisticRegression:
    # The usual tolerance is as large as the rate of one positive in 10,000 and its mean 57 % off.
    return LogisticRegression(solver="newton-cholesky", C=1.0, tol=1e-8)


def _inputs(loop: LearningLoop) -> ColumnTransformer:
    features = loop.spec.features
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    words = make_pipeline(_filled(), OneHotEncoder(handle_unknown="ignore", sparse_output=False))
    return ColumnTransformer(
        [
            ("numeric", numbers, features.names("numeric")),
            ("categorical", words, features.names("categorical")),
        ]
    )


def gradient_boosting(loop: LearningLoop) -> Pipeline:
    """Return gradient boosting; missing numbers are its own, unseen words one code."""
    features = loop.spec.features
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    inputs = ColumnTransformer(
        [
            ("categorical", make_pipeline(_filled(), codes), features.names("categorical")),
            ("numeric", "passthrough", features.names("numeric")),
        ]
    )
    # With sample weights each bin's edge is a weighted percentile: 255 take 8 s of 10.
    trees = HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.15, max_leaf_nodes=15, min_samples_leaf=200, max_bins=63,
        random_state=SEED,
    )  # fmt: skip
    return Pipeline([("inputs", inputs), ("model", trees)])


def _filled() -> SimpleImputer:
    return SimpleImputer(missing_values=None, strategy="constant", fill_value=MISSING)
