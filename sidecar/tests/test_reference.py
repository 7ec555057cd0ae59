from dataclasses import replace

import pytest

from drift_sidecar import reference
from driftloop_contracts.bundle import BASELINE, REFERENCE
from driftloop_contracts.errors import BundleRefused


@pytest.fixture
def fetch(store, given, tmp_path):
    return lambda: reference.fetch(store, given.loop, given.version, tmp_path / "scratch")


def test_a_bundle_is_read(fetch, given):
    found = fetch()
    assert found.baseline == given.baseline
    assert len(found.columns["relevance"]) == 2000


def test_missing_values_are_left_out_of_the_reference(fetch, store, given):
    given.put_bundle(store, columns={"relevance": [1.0, None], "device": [None, 3]})
    found = fetch()
    assert found.columns["relevance"].tolist() == [1.0]
    assert found.columns["device"].tolist() == ["3"]


@pytest.mark.parametrize("name", [BASELINE, REFERENCE])
def test_a_flipped_byte_is_refused(fetch, store, given, name):
    key = f"bundles/{given.loop}/{given.version}/{name}"
    content = bytearray(store.get(key))
    content[len(content) // 2] ^= 1
    store.put(key, bytes(content))
    with pytest.raises(BundleRefused, match=f"{name} is not what its digest says"):
        fetch()


def test_an_absent_bundle_is_refused(store, given, tmp_path):
    with pytest.raises(BundleRefused, match="no bundle 0002"):
        reference.fetch(store, given.loop, "0002", tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"loop": "other"}, {"window_seconds": 0}, {"min_rows": 0}, {"level": 0.0}, {"features": ()}],
)
def test_a_baseline_that_cannot_be_used_is_refused(fetch, store, given, changes):
    given.put_bundle(store, replace(given.baseline, **changes))
    with pytest.raises(BundleRefused, match="The drift baseline of bundle"):
        fetch()


def test_a_reference_without_a_monitored_column_is_refused(fetch, store, given):
    given.put_bundle(store, columns={"relevance": [1.0, 2.0]})
    with pytest.raises(BundleRefused, match="lacks: device"):
        fetch()


def test_text_where_numbers_belong_is_refused(fetch, store, given):
    given.put_bundle(store, columns={"relevance": ["x"], "device": ["a"]})
    with pytest.raises(BundleRefused, match="no number"):
        fetch()
