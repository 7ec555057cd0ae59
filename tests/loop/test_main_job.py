"""The command itself, real processes and all: on 30 days of real ads, and on the simulator."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from driftloop import parquet
from driftloop_contracts import event_types as types
from driftloop_contracts import signature

pytestmark = pytest.mark.slow

KEYS = {
    "usecase", "data", "rows", "first_event_time", "last_event_time", "wall_seconds", "peak_rss_mb",
    "predictions", "inference_records", "windows", "drift_events", "retrainings", "promotions",
    "rollbacks", "kpi", "comparison",
}  # fmt: skip


@pytest.fixture(scope="module")
def real(turn: Callable, adwords: Path):
    return turn("--data", str(adwords), "--from", "2012-04-01", "--to", "2012-04-30")


@pytest.fixture(scope="module")
def simulated(turn: Callable):
    """Nine weeks that hold a campaign change and a broken feature."""
    return turn("--seed", "1", "--from", "2026-02-16")


def test_real_run_ends_well(real) -> None:
    assert real.code == 0, real.stderr
    assert set(real.summary) >= KEYS
    assert {path.name for path in real.out.iterdir()} >= {
        "summary.json",
        "events.jsonl",
        "report.html",
        "rejected.parquet",
    }


def test_a_runs_bundles_are_signed_and_its_private_key_is_nowhere(real) -> None:
    bundles = list((real.out / "store" / "bundles" / "ads-ctr").iterdir())
    assert bundles
    assert all((bundle / signature.FILE).stat().st_size == 64 for bundle in bundles)
    for path in real.out.rglob("*"):
        assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes(), path


def test_every_served_row_is_predicted_and_logged_once(real) -> None:
    found = real.summary
    predictions = pd.read_parquet(real.out / "predictions.parquet")
    assert predictions["row_id"].is_unique
    assert predictions["probability"].between(0, 1).all()
    assert found["predictions"] == found["inference_records"] == len(predictions) > 15_000


def test_what_was_served_is_what_training_joins(real, command: Callable) -> None:
    found = real.summary["parity"]
    assert found["records"] == real.summary["predictions"]
    assert (found["values"], found["differing"]) == (4 * found["records"], 0)
    done = command("parity", "ads_ctr", "--out", str(real.out), "--last", "48h")
    assert done.returncode == 0, done.stderr
    assert "query_ctr_28d" in done.stdout


def test_parity_fails_where_offline_rows_were_rewritten(
    real, command: Callable, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(real.out / "store", out / "store")
    for path in (out / "store" / "features" / "ads-ctr" / "ad_stats").iterdir():
        rows = pd.read_parquet(path)
        path.write_bytes(parquet.dump(rows.assign(ad_ctr_14d=rows["ad_ctr_14d"] * 100)))
    done = command("parity", "ads_ctr", "--out", str(out))
    assert done.returncode == 1
    assert "ad_ctr_14d in" in done.stderr
    assert "unit: one side is the other in another unit" in done.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--last", "80"), "--last in the command must be a duration with its unit"),
        (("--tolerance", "2"), "--tolerance in the command must be a percentage"),
        (("--out", "nowhere"), "must be records of this loop. Got 'none'."),
    ],
)
def test_parity_says_what_it_cannot_do(
    command: Callable, options: tuple[str, str], sentence: str
) -> None:
    done = command("parity", "ads_ctr", *options)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_every_day_is_one_window_and_one_cohort(real) -> None:
    kinds = pd.Series([event["type"] for event in real.events]).value_counts()
    assert kinds[types.WINDOW_SCORED] == real.summary["windows"] == 20
    assert kinds[types.COHORT_SCORED] == 20


def test_the_first_model_came_through_the_pipeline_and_the_gate(real) -> None:
    first = real.summary["retrainings"][0]
    assert (first["id"], first["verdict"]) == ("ads-ctr-1", "promote")
    assert first["causes"][0]["kind"] == "initial"
    assert real.summary["promotions"][0]["version"] == first["version"]


def test_the_model_beats_the_base_rate(real) -> None:
    assert all(period["value"] > 0.02 for period in real.summary["kpi"])


def test_policies_are_compared(real) -> None:
    policies = real.summary["comparison"]
    names = ("never_retrained", "driftloop", "calendar", "retrained_daily")
    assert {name for name in names if policies[name]["log_loss"] < 0.2} == set(names)
    assert policies["never_retrained"]["fits"] == 1
    assert policies["retrained_daily"]["fits"] == 20
    assert policies["calendar"]["fits"] == policies["driftloop"]["fits"]


def test_what_is_served_is_what_the_training_join_gives(real) -> None:
    """The first model, fitted again in one process on joined features, serves the same numbers."""
    policies = real.summary["comparison"]
    if policies["driftloop"]["fits"] == 1:
        difference = policies["driftloop"]["log_loss"] - policies["never_retrained"]["log_loss"]
        assert abs(difference) < 1e-4


def test_simulated_run_finds_its_changes_and_trains_nothing_on_the_fault(simulated) -> None:
    assert simulated.code == 0, simulated.stderr
    found = simulated.summary
    assert {c["name"]: c["detected"] for c in found["changes"]} == {
        "campaign change": True,
        "relevance another unit": True,
    }
    assert (found["trained_on_fault"], found["false_alarms"]) == (0, 0)
    faults = [e for e in simulated.events if e["type"] == types.DATA_FAULT]
    assert [e["data"]["features"] for e in faults] == [["relevance"]]
    drifts = [c for c in found["changes"] if c["kind"] == "drift"]
    assert all(c["seconds_to_promotion"] <= 5 * 86400 for c in drifts)


def test_simulated_run_earns_most_of_what_daily_retraining_would(simulated) -> None:
    policies = simulated.summary["comparison"]
    assert policies["gain_captured"] >= 0.75
    assert policies["driftloop"]["fits"] <= policies["retrained_daily"]["fits"] / 10


def test_runs_tell_their_story(simulated) -> None:
    for word in ("drift", "retraining", "gate", "promotion", "alert"):
        assert word in simulated.stdout


def test_a_bundles_card_tells_what_the_run_made(
    simulated, command: Callable, tmp_path: Path
) -> None:
    newest = simulated.summary["promotions"][-1]
    page = tmp_path / "card.html"
    done = command("card", "ads_ctr", "--run", str(simulated.out), "--out", str(page))
    assert done.returncode == 0, done.stderr
    content = page.read_text()
    assert newest["version"] in content
    assert newest["retraining"] in content
    wrong = command("card", "ads_ctr", "0099-x", "--run", str(simulated.out))
    assert (wrong.returncode, wrong.stderr.count("\n"), "0099-x" in wrong.stderr) == (2, 1, True)


def test_no_process_is_left(real, simulated) -> None:
    mine = (str(real.out), str(simulated.out))
    left = [p for p in psutil.process_iter(["cmdline"]) if _belongs(p, mine)]
    assert left == []


def _belongs(process: psutil.Process, folders: tuple[str, ...]) -> bool:
    command = " ".join(process.info["cmdline"] or ())
    return any(folder in command for folder in folders)
