"""What a judgement in the shadow reads of the inference log."""

from __future__ import annotations

from driftloop.evaluation import shadow
from driftloop.loop import LearningLoop


def test_every_feature_is_read_also_one_named_as_outcomes_name_a_class(ads: LearningLoop) -> None:
    names = ads.spec.features.names()
    assert "category" in names
    assert {*names, ads.spec.gate.entity} <= {*shadow.columns(ads)}
