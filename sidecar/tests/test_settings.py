import pytest

from drift_sidecar.settings import from_env
from driftloop_contracts.errors import InvalidInput

GOOD = {"DRIFTLOOP_STORE": "store", "DRIFTLOOP_LOOP": "ads-ctr"}


def test_defaults_are_a_promise():
    settings = from_env(GOOD)
    assert (settings.host, settings.port, settings.sink, settings.bundle) == (
        "127.0.0.1",
        0,
        "",
        "",
    )
    assert not settings.supervised


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRIFTLOOP_STORE", ""),
        ("DRIFTLOOP_LOOP", "../other"),
        ("DRIFTLOOP_BUNDLE", "a/b"),
        ("DRIFTLOOP_SINK", "localhost:8080"),
        ("DRIFTLOOP_PORT", "65536"),
        ("DRIFTLOOP_PORT", "-1"),
        ("DRIFTLOOP_PORT", "http"),
        ("DRIFTLOOP_SPOOL_BYTES", "1000"),
        ("DRIFTLOOP_SPOOL_BYTES", "0MiB"),
        ("DRIFTLOOP_SPOOL_BYTES", "-1GiB"),
        ("DRIFTLOOP_TRUSTED_KEYS", "no key"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        from_env(GOOD | {name: value})


def test_a_standby_refuses_a_version_that_is_a_path():
    with pytest.raises(InvalidInput, match="version"):
        from_env(GOOD).watching("../0001")
