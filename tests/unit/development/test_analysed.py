"""A use case's model is analysed for its bundle, and pages and the command tell what was found."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from driftloop import analyse_command, loop, usecase
from driftloop.bundle import model_file, packing
from driftloop.cli import app
from driftloop.development import analysis
from driftloop.development.analysis import Subject
from driftloop.report import analysis as pages
from driftloop.training import analysed, fit
from driftloop.usecase import Span, UseCase
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def ads() -> UseCase:
    case = usecase.find("ads_ctr", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    spec = case.loop.model_dump(by_alias=True, mode="json")
    training = {"search": {"budget": "60s", "candidates": 4, "folds": 1}}
    spec["spec"]["training"] |= training | {"estimators": ["logistic"]}
    return replace(case, loop=loop.parse(spec, "loop.yaml"))


@pytest.fixture(scope="module")
def rows(ads: UseCase) -> pd.DataFrame:
    stream = ads.read(Span(seed=1))
    known = stream.outcomes.drop_duplicates("row_id", keep="last").set_index("row_id")
    asked = stream.requests.iloc[:5_000]
    rng = np.random.default_rng(0)
    looked_up = {
        name: rng.normal(-2, 0.3, len(asked))
        for name in ads.loop.spec.features.names()
        if name not in asked
    }
    positives = known["positives"].loc[asked["row_id"]].to_numpy()
    return asked.assign(prediction_id=asked["row_id"], positives=positives, **looked_up)


@pytest.fixture(scope="module")
def found(ads: UseCase, rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Any:
    choice = fit.choose(ads, rows, None)
    path = tmp_path_factory.mktemp("model") / "candidate"
    path.write_bytes(model_file.dump(choice.candidate))
    late = rows["event_time"] >= choice.holdout_start
    facts = {"estimator": choice.estimator, "parameters": dict(choice.parameters)}

    def again() -> dict[str, Any]:
        rng = np.random.default_rng(1)
        one = analysed.of_candidate(ads, rows[~late], rows[late], model_file.load(path), facts, rng)
        return one.to_data()

    return choice, again(), again()


def test_a_search_competes_and_its_winner_is_told(found: Any) -> None:
    choice = found[0]
    assert set(choice.scores) == {"logistic", "logistic (searched)"}
    assert choice.searches["logistic"].parameters.keys() == {"model__estimator__C"}
    searched = min(choice.scores, key=lambda key: choice.scores[key]) != "logistic"
    assert bool(choice.parameters) == searched
    if searched:
        assert (
            choice.release.get_params()["model__estimator__C"]
            == choice.parameters["model__estimator__C"]
        )


def test_the_facts_are_small_and_the_same_again(found: Any) -> None:
    _, first, again = found
    assert first == again
    assert len(json.dumps(first)) < 20_000
    assert {"baselines", "errors", "importance", "actions", "returned"} <= set(first)
    assert "relevance" in first["importance"][0]["columns"]


def test_without_search_nothing_is_searched(ads: UseCase, rows: pd.DataFrame) -> None:
    training = ads.loop.spec.training.model_copy(update={"search": None})
    spec = ads.loop.spec.model_copy(update={"training": training})
    plain = replace(ads, loop=ads.loop.model_copy(update={"spec": spec}))
    choice = fit.choose(plain, rows, None)
    assert (choice.searches, choice.parameters, set(choice.scores)) == ({}, {}, {"logistic"})


@pytest.fixture(scope="module")
def told(made: Callable[..., Any]) -> dict[str, Any]:
    early, late, _ = made("underfit", 1, 6_000)
    model = {"x": 2.0, "z": -1.4}

    def predict(frame: pd.DataFrame) -> Any:
        odds = sum(weight * frame[name].to_numpy() for name, weight in model.items())
        return 1 / (1 + np.exp(-odds + 0.4))

    subject = Subject(("region", "x", "z"), "user", predict, named=("region",))
    return analysis.analyse(early, late, subject, np.random.default_rng(0)).to_data()


def test_pages_tell_what_was_found(told: dict[str, Any]) -> None:
    page = pages.latest(told) + pages.columns(told)
    for text in ("region = A", "underfit", "the best rule without ML", "always the rate"):
        assert text in page


def test_what_pages_are_told_is_escaped_and_gaps_are_stood() -> None:
    hostile = {"errors": {"failures": [{"part": "<b>", "kind": "<i>"}]}, "actions": [{}]}
    page = pages.failures(hostile)
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    for render in (pages.latest, pages.baselines, pages.failures, pages.columns):
        assert 'class="empty"' in render({})


def test_the_command_prints_what_gains_most_first(
    told: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLOOP_USECASES", str(ROOT / "usecases"))
    monkeypatch.setenv("DRIFTLOOP_STORE", str(tmp_path))
    monkeypatch.delenv("DRIFTLOOP_TRUSTED_KEYS", raising=False)
    end = pd.Timestamp("2026-01-01", tz="UTC").to_pydatetime()
    for number, facts in ((1, {}), (2, {"analysis": told})):
        files = {"model.skops": b"", "reference.parquet": b"", "baseline.json": b"{}"}
        packing.write(FileStore(tmp_path), "ads-ctr", number, end, files=files, facts=facts)
    said = CliRunner().invoke(app, ["analyse", "ads_ctr"])
    assert said.exit_code == 0, said.output
    assert "1. Try a more flexible estimator" in said.output
    assert "the best rule without ML (two questions on x, z)" in said.output
    refused = CliRunner().invoke(app, ["analyse", "ads_ctr", "0009-none"])
    assert "a bundle in" in str(refused.exception)


def test_lines_stand_an_analysis_that_found_nothing() -> None:
    assert "No part of the held-out rows" in " ".join(analyse_command.lines("1", {}))


def test_a_bundle_without_an_analysis_says_why() -> None:
    assert "training.memory" in analyse_command.absent({"streamed": True})
    assert "older" in analyse_command.absent({"metrics": {}})


def test_the_loop_says_how_many_labels_may_be_wrong(
    made: Callable[..., Any], ads: UseCase, rows: pd.DataFrame, tmp_path: Path
) -> None:
    """A quarter of a region's labels are: too many of 5 %, not too many of 40 %."""
    early, late, _ = made("label", 1, 6_000)

    def predict(frame: pd.DataFrame) -> Any:
        return 1 / (1 + np.exp(0.5 - 2.2 * frame["x"].to_numpy() + 1.5 * frame["z"].to_numpy()))

    def back(**allowed: float) -> set[str]:
        subject = Subject(
            ("region", "x", "z"), "user", predict, named=("region",), suspicion="suspicion",
            **allowed,
        )  # fmt: skip
        found = analysis.analyse(early, late, subject, np.random.default_rng(0))
        return {one.rule for one in found.returned}

    assert "label_errors" in back()
    assert "label_errors" not in back(wrong_labels=0.4)
    spec = ads.loop.model_dump(by_alias=True, mode="json")
    spec["spec"]["data"]["labelling"]["maxErrors"] = "2%"
    spec["spec"]["training"]["search"] = None
    strict = replace(ads, loop=loop.parse(spec, "loop.yaml"))
    some = rows.iloc[:1_000]
    choice, path = fit.choose(strict, some, None), tmp_path / "candidate"
    path.write_bytes(model_file.dump(choice.candidate))
    is_late = some["event_time"] >= choice.holdout_start
    parts, facts = (some[~is_late], some[is_late]), {"estimator": choice.estimator}
    one = analysed.of_candidate(
        strict, *parts, model_file.load(path), facts, np.random.default_rng(1)
    )
    assert one.wrong_labels == 0.02
