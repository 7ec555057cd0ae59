"""The bank's story: every turn is found by the cores, whatever the seed draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftloop import usecase
from driftloop.stages.stage import Stage
from driftloop.story import ablation
from driftloop.story.acting import Act, act

ROOT = Path(__file__).parents[3]
FOUND = ["label_errors", "data_drift", "unrepresentative"]

pytestmark = pytest.mark.story


def play(seed: int):
    folder = ROOT / "usecases" / "support_routing"
    return usecase.load_module(folder, "support_routing", "story").play(seed)


@pytest.fixture(scope="module")
def whole() -> Act:
    return act(play(1))


@pytest.mark.parametrize("seed", [2, 3])
def test_each_seed_finds_the_same_reasons_to_go_back(seed: int) -> None:
    found = act(play(seed))
    assert [sent.rule for sent in found.returns] == FOUND
    assert found.chapters[-1].review == "continue"
    assert found.outcome["minutes"] > 1000


def test_a_wish_is_not_yet_a_problem_and_the_log_says_where_the_time_is(whole: Act) -> None:
    first = whole.chapters[0]
    assert first.stage is Stage.SCOPING
    assert first.sentences[0].startswith("Not yet: The wish 'Better support.' is not framed")
    assert "'waiting to be routed' takes" in first.sentences[1]
    assert dict(first.figures)["verdict"] == "not yet"


def test_the_same_seed_tells_the_same_story(whole: Act) -> None:
    assert act(play(1)) == whole


def test_each_rule_overlooked_costs_minutes(whole: Act) -> None:
    lost = {one.rule: one.lost(whole, "minutes") for one in ablation.each(whole, lambda: play(1))}
    assert [*lost] == FOUND
    assert min(lost.values()) > 0.2
