"""Who may send what: the receiver's decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftloop.services.receiver import __main__ as receiver
from driftloop.services.receiver import admission
from driftloop.services.receiver.admission import JOBS, SIDECARS, Refused
from driftloop.services.receiver.bucket import KEYS, Buckets
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(source: str, time: datetime = NOW) -> CloudEvent:
    return CloudEvent("1", source, event_types.WINDOW_SCORED, time, {})


@pytest.mark.parametrize("tail", ["sidecar", "sidecar/0a-9"])
def test_the_loop_is_the_sources(tail: str) -> None:
    assert admission.loop_of(event(f"/driftloop/ads-ctr/{tail}"), SIDECARS, NOW) == "ads-ctr"


SAID = [
    ("sidecar", event_types.WINDOW_SCORED, True, False),
    ("sidecar", event_types.COHORT_SCORED, False, False),
    ("cohort", event_types.COHORT_SCORED, False, True),
    ("cohort", event_types.SHADOW_JUDGED, False, True),
    ("cohort", event_types.WINDOW_SCORED, False, False),
    ("review", event_types.REVIEWED, False, True),
    ("review", event_types.STAGE_RETURNED, False, True),
    ("review", event_types.SHADOW_JUDGED, False, False),
    ("controller", event_types.ROLLOUT_PROMOTED, False, False),
]


@pytest.mark.parametrize(("part", "kind", "by_predictors", "by_jobs"), SAID)
def test_a_predictors_pod_says_nothing_that_is_a_jobs_to_say(
    part: str, kind: str, by_predictors: bool, by_jobs: bool
) -> None:
    """What speaks for a pod that anybody may call must not promote a bundle."""
    told = CloudEvent("1", f"/driftloop/ads-ctr/{part}", kind, NOW, {})
    for parts, may in ((SIDECARS, by_predictors), (JOBS, by_jobs)):
        if may:
            assert admission.loop_of(told, parts, NOW) == "ads-ctr"
        else:
            with pytest.raises(Refused) as refused:
                admission.loop_of(told, parts, NOW)
            assert refused.value.status == 400


def test_an_account_speaks_for_what_the_settings_say() -> None:
    senders = receiver._senders({"DRIFTLOOP_SENDERS": "a b", "DRIFTLOOP_JOBS_ACCOUNT": "b"})
    assert senders == {"a": SIDECARS, "b": (*SIDECARS, *JOBS)}
    assert receiver._senders({}) == {"driftloop-predictor": SIDECARS, "driftloop-jobs": JOBS}
    assert admission.sender("system:serviceaccount:ads:b", senders).parts == (*SIDECARS, *JOBS)


@pytest.mark.parametrize(
    "source",
    ["/driftloop/ads-ctr/sidecar/", "/driftloop/../sidecar", "/driftloop/Ads/sidecar", "sidecar",
     "/driftloop/ads-ctr/sidecar/a/b", "x/driftloop/ads-ctr/sidecar", "/driftloop/a\n/sidecar"],
)  # fmt: skip
def test_any_other_source_is_refused(source: str) -> None:
    with pytest.raises(Refused, match="source in a CloudEvent"):
        admission.loop_of(event(source), SIDECARS, NOW)


@pytest.mark.parametrize(
    ("age", "taken"),
    [
        (admission.OLDEST, True),
        (admission.OLDEST + timedelta(seconds=1), False),
        (-admission.FUTURE, True),
        (-admission.FUTURE - timedelta(seconds=1), False),
    ],
)
def test_time_has_both_ends(age: timedelta, taken: bool) -> None:
    found = event("/driftloop/ads-ctr/sidecar", NOW - age)
    if taken:
        assert admission.loop_of(found, SIDECARS, NOW) == "ads-ctr"
    else:
        with pytest.raises(Refused, match="time in a CloudEvent"):
            admission.loop_of(found, SIDECARS, NOW)


@pytest.mark.parametrize(
    "user", ["admin", "system:serviceaccount:ads", "system:serviceaccount:a:b:driftloop-predictor"]
)
def test_a_user_that_is_no_known_account_is_refused(user: str) -> None:
    with pytest.raises(Refused) as refused:
        admission.sender(user, {"driftloop-predictor": SIDECARS})
    assert refused.value.status == 403


def test_one_namespace_does_not_use_up_anothers_tokens() -> None:
    buckets = Buckets(burst=2, per_second=1)
    assert [buckets.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 1.0) == 0.0


def test_a_clock_that_goes_back_gives_nothing() -> None:
    buckets = Buckets(burst=1, per_second=1)
    assert buckets.take("a", 10.0) == 0.0
    assert buckets.take("a", 5.0) == 1.0


def test_buckets_do_not_grow_without_end() -> None:
    buckets = Buckets(burst=1, per_second=1)
    for number in range(KEYS + 10):
        buckets.take(str(number), 0.0)
    assert len(buckets._left) == KEYS
