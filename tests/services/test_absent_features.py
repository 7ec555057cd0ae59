"""What a caller is told of features that the store cannot give, and what is counted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from instances import ROW

from driftloop.services.predictor.model import EVENT_TIME
from driftloop_contracts import times

pytestmark = pytest.mark.slow

STRANGER = ROW | {"query_id": 999_999_999}
QUERY = ["query_ctr_3d", "query_ctr_14d", "query_ctr_28d"]


@pytest.fixture
def known(world: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A row whose features are all there, and the header of that time."""
    row = world.rows.dropna(subset=[*QUERY, "ad_ctr_14d"]).iloc[-1]
    instance = ROW | {"query_id": int(row["query_id"]), "ad_id": int(row["ad_id"])}
    return instance, {EVENT_TIME: times.to_text(world.now)}


def test_v1_names_what_was_absent_for_each_row(
    predictor: str, known: tuple[dict[str, Any], dict[str, str]]
) -> None:
    instance, headers = known
    url = f"{predictor}/v1/models/ads-ctr:predict"
    rows = [instance, instance | {"query_id": STRANGER["query_id"]}]
    answer = httpx.post(url, json={"instances": rows}, headers=headers).json()
    assert answer["absent_features"] == [[], QUERY]
    answer = httpx.post(url, json={"instances": [instance]}, headers=headers).json()
    assert "absent_features" not in answer


def test_lookups_are_counted_by_view_and_status(
    predictor: str, known: tuple[dict[str, Any], dict[str, str]]
) -> None:
    instance, headers = known
    before = counted(predictor)
    url = f"{predictor}/v1/models/ads-ctr:predict"
    httpx.post(url, json={"instances": [STRANGER | {"ad_id": instance["ad_id"]}]}, headers=headers)
    after = counted(predictor)
    assert after["query_stats", "missing"] - before["query_stats", "missing"] == 1
    assert after["ad_stats", "present"] - before["ad_stats", "present"] == 1


def test_a_loop_that_rejects_answers_400_with_the_reason(
    start: Callable[..., Any], world: Any, tmp_path: Path
) -> None:
    shutil.copytree(world.case.folder, tmp_path / "usecases" / "ads_ctr")
    written = tmp_path / "usecases" / "ads_ctr" / "loop.yaml"
    column = "{name: query_ctr_3d,"
    text = written.read_text()
    assert column in text
    written.write_text(text.replace(column, f"{column} ifAbsent: reject,"))
    address = start(DRIFTLOOP_USECASES=str(tmp_path / "usecases")).wait_ready(120)
    url = f"{address}/v1/models/ads-ctr:predict"
    answer = httpx.post(url, json={"instances": [STRANGER]})
    assert answer.status_code == 400
    assert "feature 'query_ctr_3d' in feature view 'query_stats' for instance 0" in answer.text
    assert "Got 'missing'." in answer.text


def counted(predictor: str) -> dict[tuple[str, str], float]:
    """Return what the predictor's /metrics say, 0 where a view had no such lookup."""
    found = {(view, s): 0.0 for view in ("query_stats", "ad_stats") for s in ("missing", "present")}
    for line in httpx.get(f"{predictor}/metrics").text.splitlines():
        if line.startswith("driftloop_feature_lookups_total{"):
            labels, value = line.partition("{")[2].split("} ")
            status, view = (part.split('"')[1] for part in sorted(labels.split(",")))
            found[view, status] = float(value)
    return found
