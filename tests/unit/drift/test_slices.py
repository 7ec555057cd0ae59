"""Which parts of the traffic are slices, and that a bundle keeps them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.drift import slices
from driftloop.drift.slices import Part, Slice
from driftloop.loop import LearningLoop
from driftloop_contracts.drift import concept, level
from driftloop_contracts.drift.concept import Judged
from driftloop_contracts.errors import BundleRefused


def loop_of(ads: LearningLoop, *columns: str, min_share: float = 0.02) -> LearningLoop:
    update = {"columns": columns, "min_share": min_share}
    own = ads.spec.gate.slices.model_copy(update=update)
    gate = ads.spec.gate.model_copy(update={"slices": own})
    return ads.model_copy(update={"spec": ads.spec.model_copy(update={"gate": gate})})


def test_categories_are_slices_by_their_weight(ads: LearningLoop) -> None:
    rows = pd.DataFrame({"category": ["a", "b", "b", None, "c"], "weight": [5.0, 1, 1, 9, 0.1]})
    found = slices.found(rows, loop_of(ads, "category"))
    assert [part.name for part in found] == ["category = a", "category = b"]
    assert found[1].inside(rows).tolist() == [False, True, True, False, False]


def test_they_are_at_most_so_many_over_all_columns(ads: LearningLoop) -> None:
    kinds = np.arange(1000) % 40
    rows = pd.DataFrame({"category": kinds, "device": kinds % 3, "weight": 1.0})
    found = slices.found(rows, loop_of(ads, "category", "device"))
    assert len(found) == slices.MOST
    assert [part.column for part in found[:3]] == ["device"] * 3


@given(st.lists(st.floats(-5, 5) | st.none(), min_size=1, max_size=60))
def test_a_numbers_quarters_hold_each_row_once(values: list[float | None]) -> None:
    rows = pd.DataFrame({"discount": pd.Series(values, dtype="float64")})
    parts = slices._quarters(rows["discount"], "discount")
    if parts is None:
        assert rows["discount"].nunique() <= slices.QUARTERS
        return
    held = np.sum([part.inside(rows) for part in parts], axis=0)
    assert held.tolist() == rows["discount"].notna().astype(int).tolist()


def test_a_whole_number_is_the_same_slice_with_and_without_missing_ones() -> None:
    part = Part("position", "3")
    assert part.inside(pd.DataFrame({"position": [3, 1]})).tolist() == [True, False]
    assert part.inside(pd.DataFrame({"position": [3.0, None]})).tolist() == [True, False]
    whole = pd.DataFrame({"position": pd.array([3, None], dtype="Int64")})
    assert part.inside(whole).tolist() == [True, False]
    assert part.inside(pd.DataFrame({"other": [3]})).tolist() == [False]


@given(st.integers(1, 200), st.integers(1, 20), st.floats(1e-4, 0.5))
def test_whole_and_slices_share_the_level_of_the_two_tests(
    tests: int, count: int, per_window: float
) -> None:
    whole, each = level.shared(tests, count)
    rate, window = -np.log1p(-per_window), 1.0
    spent = 2 * level.of_test(rate, window, whole) + 2 * count * level.of_test(rate, window, each)
    allowed = 2 * level.of_test(rate, window, tests)
    assert spent <= allowed * (1 + allowed)


def test_a_bundle_keeps_them() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    came = (rng.random(500) < p).astype(float)
    judged = Judged(p, came, np.ones(500), np.arange(500) // 50)
    known = concept.measure_slice(judged, judged, 0.05)
    own = (Slice(Part("category", "ski"), known), Slice(Part("discount", low=0.5), known))
    assert len(known.cuts) == concept.SLICE_BINS - 1
    assert slices.from_json(slices.to_json(own)) == own
    assert slices.from_json(None) == ()
    told = json.loads(slices.to_json(own))
    for wrong in (b"{", b"{}", b"[1]", json.dumps(told * 20).encode(), b'[{"part": {}}]'):
        with pytest.raises(BundleRefused):
            slices.from_json(wrong)
    for broken in ({"column": 1}, {"column": "a", "low": "b"}, {"more": 1}):
        hostile = json.dumps([told[0] | {"part": broken}]).encode()
        with pytest.raises(BundleRefused):
            slices.from_json(hostile)


def test_parts_that_are_alike_at_first_sight_have_names_of_their_own() -> None:
    near = [Part("price", low=float(100001 + n), high=float(100002 + n)) for n in range(4)]
    long = [Part("city", value="x" * 70 + end) for end in "ab"]
    names = [part.name for part in (*near, *long)]
    assert len(set(names)) == len(names)
    assert max(len(part.name) for part in long) <= len("city = ") + 60
