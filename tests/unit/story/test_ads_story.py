"""The ads' story: every way back is found by the stage that should find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftloop.stages.stage import Stage
from driftloop.story import events
from driftloop.story.acting import Act, act
from driftloop.usecase import load_module
from driftloop_contracts import event_types

FOLDER = Path(__file__).parents[3] / "usecases" / "ads_ctr"
TURNS = [
    ("label_errors", Stage.MODEL_DEVELOPMENT, Stage.DATA_ENGINEERING),
    ("few_positives", Stage.MODEL_DEVELOPMENT, Stage.DATA_ENGINEERING),
    ("stale_data", Stage.DEPLOYMENT, Stage.DATA_ENGINEERING),
    ("pivot", Stage.BUSINESS_ANALYSIS, Stage.SCOPING),
]


def acted(seed: int, *blind: str) -> Act:
    story = load_module(FOLDER, "ads_ctr", "story")
    return act(story.play(seed), blind=blind)


@pytest.fixture(scope="module")
def whole() -> Act:
    return acted(1)


@pytest.mark.story
def test_each_turn_is_told_by_the_stage_that_found_it(whole: Act) -> None:
    told = [
        e for e in events.of("ads-story", whole.chapters) if e.type == event_types.STAGE_RETURNED
    ]
    found = [(e.data["rule"], Stage(e.data["from"]), Stage(e.data["to"])) for e in told]
    assert found == TURNS


@pytest.mark.story
def test_it_ends_with_a_review_that_goes_on(whole: Act) -> None:
    assert whole.chapters[-1].stage is Stage.BUSINESS_ANALYSIS
    reviews = [chapter.review for chapter in whole.chapters if chapter.review]
    assert reviews == ["pivot", "continue"]


@pytest.mark.story
def test_who_overlooks_that_revenue_falls_earns_less(whole: Act) -> None:
    (revenue,) = (name for name in whole.outcome if "revenue" in name)
    stuck = acted(1, "pivot")
    assert [one.rule for one in stuck.overlooked] == ["pivot"]
    assert stuck.outcome[revenue] < 0.8 * whole.outcome[revenue]
