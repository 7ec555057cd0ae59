"""Moments of batches add up to those of all rows."""

from __future__ import annotations

import numpy as np
import pytest

from driftloop.training.moments import Moments


@pytest.mark.parametrize("level", [0.0, 1e9])
def test_batches_add_up_to_the_whole(level: float) -> None:
    rng = np.random.default_rng(0)
    values = level + rng.normal(size=(1000, 3)) * [1, 5, 0.1]
    values[rng.random(values.shape) < 0.2] = np.nan
    found = Moments.nothing(3)
    for part in np.array_split(values, [3, 10, 400, 401]):
        found += Moments.of(part)
    np.testing.assert_allclose(found.mean, np.nanmean(values, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.scale, np.nanstd(values, axis=0), rtol=1e-6)
    assert found.count.tolist() == (~np.isnan(values)).sum(axis=0).tolist()


def test_what_does_not_vary_or_is_never_known_has_a_scale_of_one() -> None:
    values = np.stack([np.full(9, 0.1), np.full(9, np.nan)], axis=1)
    found = Moments.of(values[:4]) + Moments.of(values[4:])
    assert found.scale.tolist() == [1.0, 1.0]
