"""How stages sent the loop back, in a run's summary and in what the commands print of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from driftloop import cli
from driftloop.laptop import summary
from driftloop.stages.rules import RULES
from driftloop_contracts import event_types


def event(number: int, rule: str, retraining: str = "") -> dict[str, Any]:
    data = RULES[rule].returned(f"Reason {number}.").to_data()
    about = {"retraining": retraining} if retraining else {}
    time = f"2026-01-{number:02d}T00:00:00Z"
    return {"type": event_types.STAGE_RETURNED, "time": time, "data": data | about}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    events = [event(number, "data_fault") for number in range(1, 8)]
    events += [event(8, "data_drift", "ads-ctr-2"), event(9, "gate_refused", "ads-ctr-2")]
    row = {"id": "ads-ctr-2", "event_time": "2026-01-08T00:00:00Z", "verdict": "hold"}
    row |= {"version": "v2", "causes": [], "reasons": ["Too few rows."]}
    known = {"retrainings": [row], "kpi": [], "decisions": [], "loop": "ads-ctr"}
    known |= {"last_event_time": "2026-01-09T00:00:00Z", "kpi_name": "gain", "kpi_unit": "ratio"}
    (tmp_path / "summary.json").write_text(json.dumps(known | summary.counts(events)))
    return tmp_path


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["driftloop", *arguments])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as ended:
        cli.app()
    assert not ended.value.code
    return capsys.readouterr().out


def test_status_shows_the_latest(folder: Path, monkeypatch: Any, capsys: Any) -> None:
    said = printed(monkeypatch, capsys, "status", "ads_ctr", "--out", str(folder))
    lines = [line for line in said.splitlines() if line.startswith("returned")]
    assert len(lines) == cli.SHOWN
    assert "2026-01-09T00:00:00Z: deployment -> model_development (gate_refused)" in lines[-1]


def test_a_run_of_before_has_none(folder: Path, monkeypatch: Any, capsys: Any) -> None:
    path = folder / "summary.json"
    found = json.loads(path.read_text())
    del found["returned"]
    path.write_text(json.dumps(found))
    for arguments in (("status", "ads_ctr"), ("explain", "ads-ctr-2")):
        said = printed(monkeypatch, capsys, *arguments, "--out", str(folder))
        assert "returned" not in said
        assert "sent the loop back" not in said


def test_explain_shows_those_of_its_retraining(folder: Path, monkeypatch: Any, capsys: Any) -> None:
    said = printed(monkeypatch, capsys, "explain", "ads-ctr-2", "--out", str(folder))
    part = said.partition("How stages sent the loop back:")[2]
    assert "monitoring -> model_development (data_drift): Reason 8." in part
    assert "deployment -> model_development (gate_refused): Reason 9." in part
    assert "data_fault" not in part


def test_explain_shows_what_steps_warned_of(folder: Path, monkeypatch: Any, capsys: Any) -> None:
    path = folder / "summary.json"
    found = json.loads(path.read_text())
    row = found["retrainings"][0] | {"name": "ads-ctr-2"}
    told = {"ads-ctr-2": ("simulator lacks column device.",)}
    found["retrainings"] = summary.retrainings([row], told)
    path.write_text(json.dumps(found))
    said = printed(monkeypatch, capsys, "explain", "ads-ctr-2", "--out", str(folder))
    assert "What its steps warned of:\n  simulator lacks column device.\n" in said
