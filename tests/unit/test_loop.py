"""loop.yaml is read into frozen values, and a mistake is one sentence."""

from __future__ import annotations

import copy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from driftloop import loop, quantities, usecase
from driftloop_contracts.errors import InvalidInput


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(content)
    *parents, last = path.split(".")
    place = document
    for name in parents:
        place = place[name]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


MISTAKES = {
    "unknown key": ("spec.gate.marjin", "1%", "spec.gate.marjin in loop.yaml must be absent"),
    "no unit": ("spec.retrain.cooldown", 2, "cooldown in loop.yaml must be a duration"),
    "wrong unit": ("spec.retrain.cooldown", "2 weeks", "such as '90d'. Got '2 weeks'."),
    "share over 100": ("spec.gate.margin", "101%", "a percentage from '0%' to '100%'"),
    "no rate": ("spec.drift.falseAlarms", "rarely", "a count per duration such as '1 per 90d'"),
    "effect of one": ("spec.drift.minEffect", 1.0, "spec.drift.minEffect"),
    "slice of nothing": ("spec.gate.slices", {"columns": ["devise"]}, "gate.slices.columns among"),
    "nobody": ("spec.gate.entity", "user", "a gate.entity"),
    "no chance": ("spec.rollout.guardrails", {"alpha": "0%"}, "an alpha above 0%"),
    "missing key": ("spec.gate.entity", None, "spec.gate.entity in loop.yaml must be present"),
    "unknown metric": ("spec.objective.metric", "accuracy", "'cross_entropy'. Got 'accuracy'."),
    "bad name": ("metadata.name", "Ads CTR", "metadata.name in loop.yaml"),
    "other version": ("apiVersion", "v2", "driftloop.io/v1alpha1"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_sentence(content: dict[str, Any], name: str) -> None:
    path, value, sentence = MISTAKES[name]
    with pytest.raises(InvalidInput) as refused:
        loop.parse(changed(content, path, value), "loop.yaml")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_column_named_like_an_entity_is_refused(content: dict[str, Any]) -> None:
    document = copy.deepcopy(content)
    document["spec"]["features"]["columns"][0]["name"] = "ad_id"
    with pytest.raises(InvalidInput, match="other names than the entities, not 'ad_id'"):
        loop.parse(document, "loop.yaml")


def test_two_columns_of_one_name_are_refused(content: dict[str, Any]) -> None:
    document = copy.deepcopy(content)
    columns = document["spec"]["features"]["columns"]
    columns.append(columns[0])
    with pytest.raises(InvalidInput, match="columns of different names"):
        loop.parse(document, "loop.yaml")


@pytest.mark.parametrize("text", ["a: [", "- 1", "", "\x00"])
def test_what_is_no_loop_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=r"loop\.yaml"):
        loop.read(tmp_path / "loop.yaml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="readable file"):
        loop.read(tmp_path / "loop.yaml")


def test_values_are_frozen(ads: loop.LearningLoop) -> None:
    with pytest.raises(ValidationError):
        ads.spec.gate.margin = 0.5  # type: ignore[misc]


def test_units_are_read(ads: loop.LearningLoop) -> None:
    assert ads.spec.retrain.cooldown == timedelta(days=2)
    assert ads.spec.drift.false_alarms == quantities.Rate(1, timedelta(days=90))
    assert ads.spec.data.max_rejected == 0.01


def test_a_spec_survives_its_own_yaml(ads: loop.LearningLoop) -> None:
    document = ads.model_dump(mode="json", by_alias=True)
    assert loop.parse(document, "dumped") == ads


def test_an_unknown_use_case_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Got 'nothing'"):
        usecase.find("nothing", {usecase.FOLDER_VARIABLE: str(tmp_path)})
