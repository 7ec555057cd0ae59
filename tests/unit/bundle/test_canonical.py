"""One model, one file, whoever dumps it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from driftloop.bundle import compatibility, model_file
from driftloop_contracts.errors import BundleRefused

RNG = np.random.default_rng(0)
ROWS = pd.DataFrame({"a": RNG.normal(size=300), "c": RNG.choice(list("xyz"), 300)})
MAKERS = {
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=3, random_state=0),
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression()),
}


def fitted(name: str):
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["c"]), remainder=StandardScaler()
    )
    return make_pipeline(columns, MAKERS[name]()).fit(ROWS, ROWS["a"] > 0)


@pytest.mark.parametrize("name", MAKERS)
def test_every_dump_of_a_model_is_the_same(name: str, tmp_path: Path) -> None:
    model = fitted(name)
    content = model_file.dump(model)
    assert model_file.dump(model) == content == model_file.dump(fitted(name))
    (tmp_path / "model.skops").write_bytes(content)
    loaded = model_file.load(tmp_path / "model.skops")
    assert (loaded.predict_proba(ROWS) == model.predict_proba(ROWS)).all()
    assert model_file.dump(loaded) == content


def test_another_process_makes_the_same_file() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "import test_canonical as t; from driftloop.bundle import model_file;"
        "sys.stdout.buffer.write(model_file.dump(t.fitted('boosting')))"
    )
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert made.stdout == model_file.dump(fitted("boosting"))


def test_another_model_is_another_file() -> None:
    assert model_file.dump(fitted("boosting")) != model_file.dump(fitted("calibrated"))


SK = "scikit-learn"


@pytest.mark.parametrize(
    ("made", "here", "fits"),
    [
        ({SK: "1.7.2", "numpy": "2.3.1"}, {SK: "1.7.0", "numpy": "2.0"}, True),
        ({SK: "1.6.1"}, {SK: "1.7.0"}, False),
        ({SK: "1.7.0", "numpy": "1.26"}, {SK: "1.7.0", "numpy": "2.0"}, False),
        ({}, {SK: "1.7.0"}, True),
    ],
)
def test_a_bundle_of_other_libraries_is_refused(made: dict, here: dict, fits: bool) -> None:
    if fits:
        compatibility.check("0001-a", made, here)
    else:
        with pytest.raises(BundleRefused, match="was made with"):
            compatibility.check("0001-a", made, here)
