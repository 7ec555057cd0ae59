"""A newcomer's mistakes in the five files: one sentence each, which names file and fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from driftloop import cli, usecase

FOLDER = Path(__file__).parent / "usecases" / "mail_digits"
GONE = None
LINEAR = 'estimators = lambda: {"logistic": lambda loop: LinearSVC()}  # noqa: E731'

MISTAKES = {
    "an unknown key": ("loop.yaml", "    owner: you", "    owned: you", "spec.charter.owned in"),
    "no unit": ("loop.yaml", "holdout: 20%", "holdout: 20", "holdout"),
    "no such estimator": ("loop.yaml", "[logistic, ", "[logistics, ", "logistics"),
    "a column that compute does not make": (
        "loop.yaml", "name: low_share_14d", "name: low_share_7d", "column 'low_share_7d'",
    ),
    "a view that compute does not make": (
        "loop.yaml", "origin: counter_stats", "origin: counters", "view 'counters'",
    ),
    "a class that is not declared": ("loop.yaml", ', "9"]', "]", "objective.classes"),
    "a gate on no column": ("loop.yaml", "entity: counter_id", "entity: counter", "gate.entity"),
    "a source that is not declared": ("loop.yaml", "name: schedule", "name: plan", "schedule"),
    "a column that data lack": ("data.py", '"scanner": np', '"device": np', "column 'scanner'"),
    "times without a zone": ("data.py", ', tz="UTC"', "", "UTC"),
    "rows out of order": (
        "data.py", "offset = np.sort(rng", "offset = np.array(rng", "sorted by event_time",
    ),
    "a row twice": ("data.py", 'f"image-{number}"', '"image"', "row_id"),
    "no Traffic": ("data.py", "return Traffic(", "return (lambda *_, **__: 1)(", "a Traffic"),
    "a label of no class": (
        "labels.py", 'rows["category"].to_numpy(object)', '"n" + rows["category"].to_numpy(object)',
        "a label in",
    ),
    "labels without weights": (
        "labels.py", 'rows["weight"].to_numpy("float64")', 'rows["weight"].to_numpy()[1:]',
        "equally many",
    ),
    "no weighted_labels": ("labels.py", "def weighted_labels", "def labels", "weighted_labels()"),
    "no predict_proba": (
        "model.py", "from driftloop.training import stock",
        "from sklearn.svm import LinearSVC\n\nfrom driftloop.training import stock",
        "a classifier with predict_proba",
    ),
    "a file that is missing": ("labels.py", GONE, "", "labels.py"),
    "a module that does not parse": ("features.py", "def compute(", "def compute((", "features.py"),
    "a library that is not there": (
        "model.py", "from driftloop.training", "from trainings", "model.py",
    ),
    "a view of another name in Feast": (
        "features.py", '        name="counter_stats",', '        name="counters",', "counter_stats",
    ),
    "a feature of another name in Feast": (
        "features.py", 'Field(name="low_share_14d"', 'Field(name="low_share"', "low_share_14d",
    ),
    "another feature service in Feast": (
        "features.py", "name=loop.spec.features.service", 'name="digits"', "mail_digits_v1",
    ),
    "a key that compute leaves out": (
        "features.py", 'rows.astype({"counter_id": "int64"})', 'rows.drop(columns="counter_id")',
        "counter_id",
    ),
    "no frame for each view": (
        "features.py", "def compute(", "def compute(history, now):\n    return []\n\n\ndef made(",
        "compute() returns",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, old, new, word = MISTAKES[name]
    shutil.copytree(FOLDER, tmp_path / "mail_digits")
    path = tmp_path / "mail_digits" / file
    if old is GONE:
        path.unlink()
    else:
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new))
    if name == "no predict_proba":
        path.write_text(path.read_text() + f"\n\n{LINEAR}\n")
    monkeypatch.setenv(usecase.FOLDER_VARIABLE, str(tmp_path))
    command = ["driftloop", "labels", "mail_digits", "errors", "--newest", "400"]
    monkeypatch.setattr("sys.argv", command)
    code = cli.guarded(cli.app)
    told = capsys.readouterr().err
    assert code == 2, told
    assert word in told
    assert told.count("\n") == 1, told
