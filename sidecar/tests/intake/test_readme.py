"""The README's bundle for a model from elsewhere is one that the sidecar watches with."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from drift_sidecar.process import create_monitor
from drift_sidecar.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_bundle_of_the_readme_is_watched_with(tmp_path, monkeypatch, given):
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.table(given.draw(2000, seed=0)), "reference.parquet")
    exec(script, {})
    monitor = create_monitor(Settings(str(tmp_path / "runs/store"), "ads", "0001-1a2b3c4d"))
    assert list(monitor.kinds) == ["relevance", "device"]
