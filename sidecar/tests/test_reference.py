from dataclasses import replace

import numpy as np
import pytest

from drift_sidecar import reference
from driftloop_contracts import bundle, signature
from driftloop_contracts.bundle import BASELINE, REFERENCE, digest
from driftloop_contracts.errors import BundleRefused


@pytest.fixture
def fetch(store, given, tmp_path):
    return lambda: reference.fetch(store, given.loop, given.version, tmp_path / "scratch")


def test_a_bundle_is_read(fetch, store, given):
    known = {f.name: reference.measured(f, arrays(given)[f.name]) for f in given.baseline.features}
    features = tuple(replace(f, distribution=known[f.name]) for f in given.baseline.features)
    counted = replace(given.baseline, features=features)
    given.put_bundle(store, counted)
    found = fetch()
    assert found.baseline == counted
    assert len(found.columns["relevance"]) == 2000
    assert found.digest == digest(store.get(f"bundles/{given.loop}/{given.version}/{REFERENCE}"))


def arrays(given):
    columns = given.draw(2000, seed=0)
    return {
        "relevance": np.array(columns["relevance"]),
        "device": np.array(columns["device"], dtype=object),
    }


def test_a_bundle_without_counts_is_read_with_caution(fetch, given):
    """As release 0.1 wrote it: thresholds in half the unit, and rows that tell of no order."""
    found = fetch()
    assert [f.threshold for f in found.features] == [
        2 * f.threshold for f in given.baseline.features
    ]
    assert {d.design_effect for d in found.distributions.values()} == {reference.CAUTIOUS}


def test_missing_values_stay_missing_in_the_reference(fetch, store, given):
    given.put_bundle(store, columns={"relevance": [1.0, None], "device": [None, 3]})
    found = fetch()
    assert [v == v for v in found.columns["relevance"]] == [True, False]
    assert found.columns["device"].tolist() == [None, "3"]
    assert found.distributions["relevance"].strata[0].missing == 1


@pytest.mark.parametrize("name", [BASELINE, REFERENCE])
def test_a_flipped_byte_is_refused(fetch, store, given, name):
    key = f"bundles/{given.loop}/{given.version}/{name}"
    content = bytearray(store.get(key))
    content[len(content) // 2] ^= 1
    store.put(key, bytes(content))
    with pytest.raises(BundleRefused, match=f"{name} is not what its digest says"):
        fetch()


def test_only_what_somebody_trusted_signed_is_taken(store, given, tmp_path):
    private, public = signature.pair()
    trusted = signature.trusted({signature.TRUSTED_KEYS: public})
    with pytest.raises(BundleRefused, match="is not signed"):
        reference.fetch(store, given.loop, given.version, tmp_path / "unsigned", trusted)
    manifest = store.get(bundle.key(given.loop, given.version, bundle.MANIFEST))
    signed = signature.sign(manifest, private)
    store.put(bundle.key(given.loop, given.version, signature.FILE), signed)
    assert reference.fetch(store, given.loop, given.version, tmp_path / "signed", trusted)


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
