import pytest

from drift_sidecar.intake.options import Options
from drift_sidecar.settings import from_env
from driftloop_contracts.errors import InvalidInput

GOOD = {"DRIFTLOOP_STORE": "store", "DRIFTLOOP_LOOP": "ads-ctr"}


def test_defaults_are_a_promise():
    assert from_env(GOOD).intake == Options((), "", "", "", 60.0)


def test_every_option_is_read():
    named = {
        "DRIFTLOOP_ENTITY_KEYS": "ad_id, user,,ad_id",
        "DRIFTLOOP_PREDICTION": "1",
        "DRIFTLOOP_INFERENCE_SERVICE": "ads",
        "DRIFTLOOP_PROTOCOL": "seldon.http",
        "DRIFTLOOP_PAIR_SECONDS": "2.5",
    }
    expected = Options(("ad_id", "user"), "1", "ads", "seldon.http", 2.5)
    assert from_env(GOOD | named).intake == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRIFTLOOP_PROTOCOL", "seldon.grpc"),
        ("DRIFTLOOP_PAIR_SECONDS", "soon"),
        ("DRIFTLOOP_PAIR_SECONDS", "0"),
        ("DRIFTLOOP_PAIR_SECONDS", "nan"),
        ("DRIFTLOOP_PAIR_SECONDS", "3601"),
    ],
)
def test_a_wrong_option_is_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        from_env(GOOD | {name: value})
