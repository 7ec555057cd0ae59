"""The commands on a loop of classes, and rows that have no label yet."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from driftloop import cli, labels_traffic, loop, parquet, usecase
from driftloop.labels import join
from driftloop.usecase import Span, UseCase
from driftloop_contracts.errors import InvalidInput

FOLDER = Path(__file__).parents[2] / "classes" / "usecases"
NEWEST = "900"


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> UseCase:
    monkeypatch.setenv(usecase.FOLDER_VARIABLE, str(FOLDER))
    monkeypatch.setenv("COLUMNS", "200")
    return usecase.find("tickets")


def told(*arguments: str) -> str:
    found = CliRunner().invoke(cli.app, ["labels", "tickets", *arguments])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def test_rows_have_their_class_and_the_younger_none(tickets: UseCase) -> None:
    traffic = tickets.read(Span())
    found = labels_traffic.read(tickets, Span(), 2**62)
    end = traffic.outcomes["known_time"].max()
    mature = (found.rows["event_time"] <= end - timedelta(days=1)).to_numpy()
    assert (~mature).any()
    assert found.classes == ("hr", "accounting", "it")
    assert (found.codes[~mature] == -1).all()
    named = np.asarray(found.classes, object)[found.codes[mature]]
    assert (named == traffic.outcomes["category"].to_numpy()[mature]).all()


def test_without_an_outcome_a_row_is_what_its_source_says(content: dict[str, Any]) -> None:
    case = usecase.find("ads_ctr")
    spec = content["spec"]
    own = {"name": spec["objective"]["label"], "maturity": "3d", "absent": "negative"}
    data = {**spec["data"], "labels": [own]}
    declared = case.declared(spec | {"data": data})
    found = labels_traffic.read(declared, Span(), 2**62).rows
    last = case.read(Span()).outcomes["known_time"].max()
    mature = found["event_time"] <= last - timedelta(days=3)
    assert found["positives"].notna().equals(mature)


def test_other_classes_than_the_objectives_are_refused() -> None:
    content = yaml.safe_load((FOLDER / "tickets" / "loop.yaml").read_text())
    labelling = content["spec"]["data"].setdefault("labelling", {})
    for classes in (["no", "yes"], ["hr", "accounting", "it"]):
        labelling["classes"] = classes  # The first is what an API server writes where none is.
        assert loop.parse(content, "loop.yaml").spec.label_classes == ("hr", "accounting", "it")
    labelling["classes"] = ["it", "hr", "accounting"]
    with pytest.raises(InvalidInput, match="other than objective.classes"):
        loop.parse(content, "loop.yaml")


@pytest.mark.slow
def test_a_queue_comes_back_as_outcomes_that_a_training_takes(
    tickets: UseCase, tmp_path: Path
) -> None:
    queue, out = tmp_path / "queue.csv", tmp_path / "outcomes.parquet"
    told("queue", "--out", str(queue), "--rows", "30", "--newest", NEWEST)
    rows = list(csv.DictReader(io.StringIO(queue.read_text("utf-8-sig"), newline="")))
    assert {row["proposed"] for row in rows} <= {"hr", "accounting", "it"}
    for row in rows:
        row["label"], row["reviewer"] = "accounting", "Ann"
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    queue.write_text(sink.getvalue(), encoding="utf-8-sig")
    assert "are wrong, by 30 reviews" in told("import", str(queue), "--out", str(out))
    reports, spec = parquet.load(out.read_bytes()), tickets.loop.spec
    asked = tickets.read(Span()).requests.rename(columns={"row_id": "prediction_id"})
    now = (pd.Timestamp.now(tz="UTC") + timedelta(minutes=1)).to_pydatetime()
    found = join.join(asked, reports, spec.label_source, now, spec.objective.classes)
    assert (len(found.rows), len(found.rejected)) == (30, 0)
    assert set(found.rows["category"]) == {"accounting"}


@pytest.mark.slow
def test_errors_of_classes_are_found_and_their_correction_judged(tickets: UseCase) -> None:
    output = told("errors", "--newest", NEWEST, "--top", "5", "--fix", "10")
    assert "accounting" in output
    assert "Relabelling the 10 most suspect rows" in output
    early, entities, fit_and_score = labels_traffic.held_out(
        tickets, labels_traffic.joined(tickets, Span(), int(NEWEST))
    )
    places = np.arange(len(early.codes))
    right, shuffled = fit_and_score(places, early.codes), np.roll(early.codes, 1)
    assert len(entities) == len(right)
    assert right.mean() < fit_and_score(places, shuffled).mean()
