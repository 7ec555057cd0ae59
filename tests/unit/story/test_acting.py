from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop.stages.stage import Stage
from driftloop.story import ablation, events
from driftloop.story.acting import LONGEST, act
from driftloop.story.chapter import Chapter
from driftloop_contracts import event_types
from driftloop_contracts.errors import RunFailed

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Ill:
    """A world with ailments; a stage finds those of its own rules that have not been mended."""

    loop, title, lead = "ill", "Ill", "A world to be mended."

    def __init__(self, *ailments: str, heals: bool = True) -> None:
        self.ailments, self.heals = list(ailments), heals

    def turn(self, stage: Stage) -> Chapter:
        own = [name for name in self.ailments if RULES[name].source is stage]
        found = RULES[own[0]].returned(f"{own[0]}: 3 of 4.") if own else None
        others = tuple(RULES[name].returned(f"{name}: 1 of 4.") for name in own[1:])
        return Chapter(stage, NOW, stage.title, returned=found, others=others)

    def mend(self, returned: Returned) -> bool:
        if self.heals:
            self.ailments.remove(returned.rule)
        return returned.rule != "end"

    def outcome(self) -> Mapping[str, float]:
        return {"health": 10.0 - len(self.ailments)}


def test_a_sound_world_goes_through_the_stages_once() -> None:
    assert [chapter.stage for chapter in act(Ill()).chapters] == [*Stage]


def test_a_return_leads_to_its_target_and_on_from_there() -> None:
    found = act(Ill("few_positives", "pivot"))
    numbers = [chapter.stage.number for chapter in found.chapters]
    assert numbers == [1, 2, 3, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]
    assert [sent.rule for sent in found.returns] == ["few_positives", "pivot"]
    assert found.outcome == {"health": 10.0}


def test_what_it_is_blind_to_is_told_but_changes_nothing() -> None:
    found = act(Ill("few_positives"), blind={"few_positives"})
    assert [chapter.stage for chapter in found.chapters] == [*Stage]
    assert [sent.rule for sent in found.overlooked] == ["few_positives"]
    assert found.returns == ()


def test_of_several_findings_the_first_that_is_not_overlooked_leads_on() -> None:
    found = act(Ill("label_errors", "few_positives"), blind={"label_errors"})
    assert [sent.rule for sent in found.returns] == ["few_positives"]
    assert {sent.rule for sent in found.overlooked} == {"label_errors"}


def test_where_nothing_can_be_done_the_story_ends_as_things_are() -> None:
    found = act(Ill("end"))
    assert [chapter.stage for chapter in found.chapters] == [*Stage]
    assert [sent.rule for sent in found.returns] == ["end"]


def test_a_story_in_circles_ends_in_a_sentence() -> None:
    with pytest.raises(RunFailed, match=f"within {LONGEST} turns. The last return: pivot: 3 of 4"):
        act(Ill("pivot", heals=False))


def test_each_chapter_is_told_when_it_is_through() -> None:
    told: list[str] = []
    act(Ill(), told=lambda chapter: told.append(chapter.stage.value))
    assert told == [stage.value for stage in Stage]


def test_each_return_is_overlooked_in_a_story_of_its_own() -> None:
    whole = act(Ill("few_positives", "pivot"))
    without = list(ablation.each(whole, lambda: Ill("few_positives", "pivot")))
    assert [one.rule for one in without] == ["few_positives", "pivot"]
    assert [one.stage for one in without] == [Stage.MODEL_DEVELOPMENT, Stage.BUSINESS_ANALYSIS]
    assert [one.lost(whole, "health") for one in without] == pytest.approx([0.1, 0.1])


def test_returns_and_reviews_are_events_with_names_of_their_own() -> None:
    chapters = act(Ill("few_positives", "pivot")).chapters
    reviewed = Chapter(Stage.BUSINESS_ANALYSIS, NOW, "Review", ("It pays.",), review="continue")
    told = list(events.of("ill", [*chapters, reviewed]))
    assert [event.type for event in told] == [
        event_types.STAGE_RETURNED,
        event_types.STAGE_RETURNED,
        event_types.REVIEWED,
    ]
    assert len({event.id for event in told}) == 3
    assert told[-1].data == {"loop": "ill", "decision": "continue", "evidence": ["It pays."]}
