"""Translation: a scored window becomes a judgement, or is refused with a sentence."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from driftloop.services.controller import translation
from driftloop_contracts import event_types
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.errors import InvalidInput

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def feature(name: str, **changed: Any) -> dict[str, Any]:
    quiet = {"name": name, "shift": False, "fault": "", "missing": 0, "total": 10}
    return quiet | {"effect": 0.5, "threshold": 0.1, "p_value": 0.001} | changed


def scored(*features: Any, **changed: Any) -> CloudEvent:
    window = {"window_start": "2026-01-01T00:00:00Z", "window_end": "2026-01-02T00:00:00Z"}
    data = {"bundle_version": "1-abc", "features": list(features)} | window | changed
    return CloudEvent("1", "/sidecar", event_types.WINDOW_SCORED, NOON, data)


def test_each_feature_is_quiet_shifted_or_broken() -> None:
    features = feature("a"), feature("b", shift=True), feature("c", fault="missing", missing=4)
    judged = translation.judged(scored(*features))
    assert judged.shifts == {"b": "effect 0.500 (threshold 0.100, p = 1.0e-03)"}
    assert judged.faults == {"c": "40% of its values are missing"}


def test_a_fault_of_a_later_sidecar_is_passed_on_in_its_word() -> None:
    assert translation.judged(scored(feature("a", fault="frozen"))).faults == {"a": "frozen"}


@pytest.mark.parametrize(
    "event",
    [
        scored("a"),
        scored({"name": "a"}),
        scored(feature("a", shift=True, effect=None)),
        scored(window_end="later"),
        scored(features=None),
        scored(feature(["a"], shift=True)),
    ],
)
def test_any_other_event_is_refused(event: CloudEvent) -> None:
    with pytest.raises(InvalidInput):
        translation.judged(event)
