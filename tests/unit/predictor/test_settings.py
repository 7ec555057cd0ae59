"""Settings: a process's records are told apart from those of the one before it."""

import re

from driftloop.services.predictor.settings import from_env

GIVEN = {
    "DRIFTLOOP_USECASE": "ads-ctr",
    "DRIFTLOOP_STORE": "store",
    "DRIFTLOOP_FEAST": "feast",
    "POD_UID": "pod-1",
}


def test_a_pod_uid_outside_kubernetes_is_taken_as_it_is():
    assert from_env(GIVEN).pod_uid == "pod-1"


def test_each_process_in_a_pod_has_its_own_suffix():
    environ = GIVEN | {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    first, second = from_env(environ).pod_uid, from_env(environ).pod_uid
    assert first != second
    assert re.fullmatch(r"pod-1-[0-9a-f]{8}", first)
    assert re.fullmatch(r"pod-1-[0-9a-f]{8}", second)
