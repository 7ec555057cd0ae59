"""Instances by name and by position: what may be absent, and what may not."""

from __future__ import annotations

import pytest

from drift_sidecar.intake import columns
from drift_sidecar.intake.columns import Layout
from driftloop_contracts.errors import InvalidInput

LAYOUT = Layout(("x", "propensity", "y"), ("who",))


def test_a_server_that_knows_of_no_choice_need_not_tell_of_one() -> None:
    found = columns.by_position([[1, 2], [3, 4]], LAYOUT)
    assert found.features == {"x": [1, 3], "propensity": [None, None], "y": [2, 4]}
    named = columns.from_objects([{"x": 1, "y": 2, "propensity": 0.5}], LAYOUT)
    assert named.features == {"x": [1], "propensity": [0.5], "y": [2]}
    assert columns.from_objects([], LAYOUT).features == {"x": [], "propensity": [], "y": []}


def test_other_features_are_required() -> None:
    with pytest.raises(InvalidInput, match=r"2 values: x, y"):
        columns.by_position([[1]], LAYOUT)
    with pytest.raises(InvalidInput, match=r"feature 'y'.*present"):
        columns.by_name({"x": [1]}, 1, LAYOUT)
