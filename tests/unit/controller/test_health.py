"""Whether all that loops need is there: looked at now and then, and said in a sentence."""

from __future__ import annotations

from datetime import UTC, datetime

from driftloop import doctor
from driftloop.adapters.unavailable import Unavailable
from driftloop.resources.conditions import Condition
from driftloop.services.controller.health import EVERY, Health

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Objects:
    """An API server that knows these kinds, or is away."""

    def __init__(self, *kinds: str, away: bool = False) -> None:
        self._kinds, self._away = set(kinds), away

    def kinds(self, group: str, version: str) -> set[str]:
        if self._away:
            raise Unavailable("The API server does not answer.")
        return self._kinds


OURS = ("LearningLoop", "Retraining", "LoopEvent")


def test_it_is_looked_at_from_time_to_time() -> None:
    looks: list[Condition] = []

    def look() -> Condition:
        looks.append(Condition("PlatformReady", True, f"Look{len(looks)}"))
        return looks[-1]

    health = Health(look)
    reasons = [health.conditions(NOW + ago)[0].reason for ago in (EVERY * 0, EVERY * 0.9, EVERY)]
    assert reasons == ["Look0", "Look0", "Look1"]


def test_nothing_is_said_where_nothing_is_looked_at() -> None:
    assert Health().conditions(NOW) == []


def test_all_there_is_ready() -> None:
    found = doctor.condition(Objects(*OURS, "InferenceService"), {})
    assert (found.type, found.true, found.message) == ("PlatformReady", True, "")


def test_what_is_missing_is_named_with_what_to_do(tmp_path) -> None:
    environ = {"DRIFTLOOP_STORE": str(tmp_path), "DRIFTLOOP_KFP": "file:///etc/passwd"}
    found = doctor.condition(Objects(*OURS), environ)
    assert found.true is False
    assert "InferenceService are not known here. Install KServe" in found.message
    assert "DRIFTLOOP_KFP must be an http(s) address." in found.message
    assert "object store" not in found.message


def test_a_server_that_is_away_is_said_to_be() -> None:
    assert "does not answer" in doctor.condition(Objects(away=True), {}).message
