"""Whether a champion came from what is declared now."""

from __future__ import annotations

import pytest

from driftloop.loop import LearningLoop
from driftloop.training import declared


def test_the_same_declaration_is_no_change(ads: LearningLoop) -> None:
    assert not declared.differs(declared.facts(ads) | {"rows": 7}, ads)


@pytest.mark.parametrize(
    ("name", "value"),
    [("objective", "cpc"), ("label", "bought"), ("columns", ["device"]), ("estimators", ["svm"])],
)
def test_each_part_of_it_counts(ads: LearningLoop, name: str, value: object) -> None:
    assert declared.differs(declared.facts(ads) | {name: value}, ads)


def test_what_an_older_bundle_does_not_say_is_taken_for_the_same(ads: LearningLoop) -> None:
    assert not declared.differs({"objective": ads.spec.objective.name}, ads)
