from __future__ import annotations

import pytest

from driftloop.stages import returned
from driftloop.stages.rules import RULES
from driftloop.stages.stage import Stage
from driftloop_contracts.errors import InvalidInput


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_each_rule_leads_back_and_survives_its_event(rule) -> None:
    told = rule.returned("3 of 100 labels are wrong.")
    assert told.target.number < told.source.number
    assert returned.from_data(told.to_data()) == told


def test_a_stage_cannot_send_the_loop_forward() -> None:
    with pytest.raises(InvalidInput, match="a stage before scoping"):
        returned.Returned(Stage.SCOPING, Stage.DEPLOYMENT, "x", "y")


@pytest.mark.parametrize(
    "wrong", [{"from": "nowhere"}, {"to": 3}, {"reason": None}, {"to": "monitoring"}]
)
def test_what_is_no_return_is_refused(wrong) -> None:
    sound = RULES["label_errors"].returned("why").to_data()
    with pytest.raises(InvalidInput, match="a stage's return"):
        returned.from_data(sound | wrong)
