"""The README's bundle for a model from elsewhere is one that the sidecar watches with."""

import os
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from starlette.testclient import TestClient

from drift_sidecar.app import create_app
from drift_sidecar.process import create_intake, create_monitor
from drift_sidecar.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_the_bundle_of_the_readme_is_watched_with(tmp_path, given):
    (command,) = re.findall(r"^python -m (drift_sidecar baseline .*)$", README, re.MULTILINE)
    asked = [given.at(-300) + timedelta(minutes=5 * n) for n in range(3000)]
    rows = pa.table(given.draw(3000, seed=0) | {"asked_at": asked})
    pq.write_table(rows, tmp_path / "rows.parquet")
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert '"device": {"kind": "categorical"' in done.stdout

    settings = Settings(str(tmp_path / "runs/store"), "ads", "0001-1a2b3c4d")
    monitor = create_monitor(settings)
    client = TestClient(create_app(monitor, create_intake(monitor, settings)))
    own = {"loop": "ads", "bundle_version": "0001-1a2b3c4d"}
    for seq, shift in ((0, 0.0), (1000, 1.0)):
        headers, body = given.batch(1000, seq / 1000, seq, shift=shift, **own).to_http()
        assert client.post("/", content=body, headers=headers).status_code == 202
    headers, body = given.watermark(3).to_http()
    told = client.post("/", content=body, headers=headers).json()["events"]
    found = [event["type"].removeprefix("io.driftloop.") for event in told]
    assert found == ["window.scored.v1", "window.scored.v1", "drift.detected.v1"]
