"""Who serves a loop, step by step, on a KServe that deletes at once and starts slowly."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from driftloop.loop import LearningLoop
from driftloop.resources import lineup as lineups
from driftloop.resources import serving
from driftloop.resources.lineup import BUNDLE, Canary, Goal, Lineup, Seen
from driftloop.resources.platform import Platform
from driftloop_contracts import times

BOUNDS = (2, 6)
PLATFORM = Platform("platform", "sidecar", "s3://b/ads", "http://c", replicas=BOUNDS)
ONE, TWO, THREE = "0001-a", "0002-b", "0003-c"


class Kserve:
    """KServe and a gateway: pods take their time, routes follow, the unexpected goes at once.

    No route is written while a pod of the stable predictor is missing, and its autoscaler goes
    down to the fewest whenever it likes.
    """

    def __init__(self, rng: random.Random, pods: int = 3) -> None:
        self.rng, self.pods, self.lineup = rng, pods, None
        self.available: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.routed: dict[str, int] = {}
        self.led, self.failing = "", False

    def apply(self, lineup: Lineup) -> None:
        assert lineup.canary is None or lineup.canary.name != lineup.name
        assert lineup.canary is None or lineup.canary.replicas <= lineup.replicas[0]
        was, self.lineup = self.lineup, lineup
        if was is not None:
            self.lead(lineups.leading(was))
            self.check_pods(was, lineup)
        gone = set(self.available) - set(self.expected())
        if was is not None and not self.failing:
            assert not [name for name in gone if self.routed.get(name)], "a route leads nowhere"
            assert self.led not in gone, "callers inside are led nowhere"
        for name in gone:
            del self.available[name]

    def check_pods(self, was: Lineup, lineup: Lineup) -> None:
        """Beside a canary the stable one is never left fewer pods than it had."""
        goal = Goal(lineup.version, BOUNDS)
        if was.canary and lineup.canary and was.name == lineup.name:
            had = lineups._had(was, was.canary, goal)
            assert lineups._had(lineup, lineup.canary, goal) >= had
            if self.available[lineup.canary.name]:
                assert lineup.replicas[0] - lineup.canary.replicas >= had

    def lead(self, name: str) -> None:
        self.led = name

    def expected(self) -> dict[str, int]:
        canary = self.lineup.canary
        beside = {canary.name: canary.replicas} if canary else {}
        return {self.lineup.name: self.pods} | beside

    def is_whole(self) -> bool:
        return self.available.get(self.lineup.name, 0) >= self.pods

    def scale(self) -> None:
        canary, (least, most) = self.lineup.canary, self.lineup.replicas
        if canary and self.available.get(canary.name):
            least = max(least - canary.replicas, 1)
        floor = least if self.rng.random() < 0.1 else max(self.pods, least)
        self.pods = min(floor, most)
        own = self.lineup.name
        self.available[own] = min(self.available.get(own, 0), self.pods)
        if self.rng.random() < 0.05:
            self.available[own] = max(self.available[own] - 1, 0)  # a node is drained

    def pass_time(self) -> None:
        self.scale()
        for name, wanted in self.expected().items():
            started = self.available.get(name, 0) + self.rng.randint(0, 1)
            self.available[name] = min(max(started, self.available.get(name, 0)), wanted)
        if self.failing:
            self.available[self.lineup.name] = 0
        canary = self.lineup.canary
        share = canary.percent if canary and self.available[canary.name] else 0
        if self.rng.random() < 0.5 and self.is_whole():
            beside = {canary.name: share} if canary else {}
            self.written = {self.lineup.name: 100 - share} | beside
        if self.rng.random() < 0.5:
            self.routed = self.written

    def seen(self) -> Seen:
        canary, name = self.lineup.canary, self.lineup.name
        is_taken = self.routed == self.written
        shares = frozenset([self.written.get(canary.name, 0) if canary else 0])
        return Seen(
            pods=self.pods,
            is_whole=not self.failing,
            available=self.available.get(canary.name, 0) if canary else 0,
            routed=(shares if is_taken else None) if self.written else frozenset(),
            is_led=bool(canary) and self.led == canary.name != name,
        )


def brought(kserve: Kserve, goal: Goal, ticks: int = 400) -> None:
    """Bring it to the goal, or as far as so many ticks do."""
    for _ in range(ticks):
        kserve.apply(lineups.following(kserve.lineup, kserve.seen(), goal))
        if lineups.is_reached(kserve.lineup, goal):
            return
        kserve.pass_time()
    assert ticks < 400, f"{kserve.lineup} never became {goal}"


def served(seed: int, version: str = ONE, *, splits: bool = True) -> Kserve:
    kserve = Kserve(random.Random(seed))
    kserve.apply(lineups.first(Goal(version, BOUNDS, splits)))
    for _ in range(50):
        kserve.pass_time()
    return kserve


@pytest.mark.parametrize("seed", range(20))
def test_a_candidate_takes_over_step_by_step_and_keeps_its_pods(seed: int) -> None:
    kserve = served(seed)
    for percent in (5, 25, 50):
        brought(kserve, Goal(ONE, BOUNDS, True, TWO, percent))
        canary = kserve.lineup.canary
        assert (canary.version, canary.percent) == (TWO, percent)
        assert kserve.available["green"] >= canary.replicas
    brought(kserve, Goal(TWO, BOUNDS, True))
    assert kserve.lineup == Lineup("green", TWO, BOUNDS)
    assert set(kserve.available) == {"green"}


@pytest.mark.parametrize("seed", range(20))
def test_a_candidate_that_goes_back_leaves_the_stable_one_as_it_was(seed: int) -> None:
    kserve = served(seed)
    brought(kserve, Goal(ONE, BOUNDS, True, TWO, 50))
    brought(kserve, Goal(ONE, BOUNDS, True))
    assert kserve.lineup == Lineup("blue", ONE, BOUNDS)


@pytest.mark.parametrize("seed", range(200))
def test_whatever_is_wanted_in_between_no_route_leads_nowhere(seed: int) -> None:
    """Goals change at any moment, as when a person goes back while a candidate takes over."""
    rng = random.Random(seed)
    kserve = served(seed, splits=rng.random() < 0.7)
    for _ in range(6):
        version, candidate = rng.sample([ONE, TWO, THREE], 2)
        beside = (candidate, rng.choice([1, 5, 50, 99])) if rng.random() < 0.5 else ("", 0)
        brought(kserve, Goal(version, BOUNDS, True, *beside), ticks=rng.randint(1, 40))
    brought(kserve, Goal(THREE, BOUNDS, True))
    assert kserve.lineup.version == THREE


def test_more_traffic_comes_only_when_its_pods_are_there() -> None:
    goal = Goal(ONE, (8, 8), True, TWO, 25)
    live = Lineup("blue", ONE, (9, 10), Canary("green", TWO, 5, 1))
    first, second = (Seen(8, available=n, routed=frozenset({5})) for n in (1, 2))
    more = lineups.following(live, first, goal)
    assert more == Lineup("blue", ONE, (10, 11), Canary("green", TWO, 5, 2))
    assert lineups.following(more, first, goal) == more
    assert lineups.following(more, second, goal).canary.percent == 25


def test_the_stable_one_keeps_the_pods_it_had_though_kserve_takes_the_canarys_away() -> None:
    goal = Goal(ONE, BOUNDS, True, TWO, 50)
    none, half = frozenset({0}), frozenset({50})
    dark = lineups.following(Lineup("blue", ONE, BOUNDS), Seen(4, routed=none), goal)
    assert dark == Lineup("blue", ONE, (4, 8), Canary("green", TWO, 0, 2))
    ready = lineups.following(dark, Seen(4, available=2, routed=none), goal)
    assert ready == Lineup("blue", ONE, (6, 9), Canary("green", TWO, 50, 2))
    busy = lineups.following(ready, Seen(5, available=2, routed=half), goal)
    assert busy.replicas == (8, 10), "the autoscaler gave it one more; so the canary gets its part"
    assert busy.canary.replicas == 3
    back = lineups.following(ready, Seen(4, available=2, routed=half), Goal(ONE, BOUNDS, True))
    assert back == Lineup("blue", ONE, (6, 9), Canary("green", TWO, 0, 2))
    crashed = lineups.following(ready, Seen(6, available=0, routed=half), goal)
    assert crashed.replicas == (4, 8), "KServe gave it the canary's two, which are not its own"


def test_a_broken_stable_bundle_is_replaced_though_no_route_is_written() -> None:
    kserve = served(3)
    kserve.failing = True
    kserve.pass_time()
    assert not kserve.is_whole()
    brought(kserve, Goal(TWO, BOUNDS, True))
    assert kserve.lineup == Lineup("green", TWO, BOUNDS)


def test_where_nothing_is_routed_pods_change_under_their_name() -> None:
    """An ingress would lead to a name that is gone."""
    live, seen = Lineup("blue", ONE, BOUNDS), Seen(2, routed=frozenset())
    assert lineups.following(live, seen, Goal(TWO, BOUNDS, True)) == Lineup("blue", TWO, BOUNDS)
    assert lineups.following(live, seen, Goal(ONE, BOUNDS, True, TWO, 5)) == live


def test_one_that_takes_over_gets_traffic_as_its_pods_come() -> None:
    live = Lineup("blue", ONE, (4, 10), Canary("green", TWO, 0, 4))
    goal = Goal(TWO, BOUNDS, True)
    shares = [
        lineups.following(live, Seen(4, available=n, routed=frozenset({0})), goal).canary.percent
        for n in range(5)
    ]
    assert shares == [0, 25, 50, 75, 100]


def test_callers_inside_are_led_before_the_name_is_given_up() -> None:
    live = Lineup("blue", ONE, (4, 9), Canary("green", TWO, 100, 2))
    seen = Seen(2, available=2, routed=frozenset({100}))
    goal = Goal(TWO, BOUNDS, True)
    assert lineups.following(live, seen, goal).name == "blue"
    assert lineups.following(live, replace(seen, is_led=True), goal).name == "green"


def test_without_a_split_the_pods_change_under_their_name() -> None:
    live = Lineup("", ONE, BOUNDS)
    assert lineups.following(live, Seen(2), Goal(TWO, BOUNDS)) == Lineup("", TWO, BOUNDS)
    assert lineups.first(Goal(TWO, BOUNDS)) == Lineup("", TWO, BOUNDS)


def test_a_canary_that_has_no_traffic_yet_by_the_gateway_stays() -> None:
    live = Lineup("blue", ONE, (3, 3), Canary("green", TWO, 0, 1))
    goal = Goal(ONE, BOUNDS, True)
    waiting = lineups.following(live, Seen(2, available=1, routed=None), goal)
    assert waiting.canary == live.canary
    taken = lineups.following(live, Seen(2, available=1, routed=frozenset({0})), goal)
    assert taken == Lineup("blue", ONE, BOUNDS)


@pytest.mark.parametrize("canary", [None, Canary("green", TWO, 25, 1)])
def test_what_is_written_is_read_as_it_was(ads: LearningLoop, canary: Canary | None) -> None:
    lineup = Lineup("blue", ONE, (3, 3), canary)
    assert lineups.read(serving.inference_service(ads, lineup, PLATFORM)) == lineup


def test_what_somebody_else_wrote_is_read_without_a_stumble() -> None:
    assert lineups.read({"spec": {"predictor": {}}}) == Lineup("", "", (1, 1))


def route(*weights: tuple[str, int], generation: int = 2, observed: int = 2) -> dict[str, Any]:
    backends = [{"name": name, "weight": weight} for name, weight in weights]
    conditions = [{"type": "Accepted", "observedGeneration": observed}]
    parent = {"name": "gateway", "namespace": "kserve"}
    return {
        "metadata": {"generation": generation, "namespace": "ads"},
        "spec": {"parentRefs": [parent], "rules": [{"backendRefs": backends}]},
        "status": {"parents": [{"parentRef": parent, "conditions": conditions}]},
    }


def test_a_share_is_read_from_the_route_that_is_in_force() -> None:
    both = (("ads-blue-predictor", 95), ("ads-green-predictor", 5))
    assert lineups.share_of(route(*both), "ads-green-predictor") == 5
    assert lineups.share_of(route(*both, observed=1), "ads-green-predictor") is None
    assert lineups.share_of(route(("ads-blue-predictor", 1)), "ads-green-predictor") == 0
    gone = route(*both, observed=1) | {"spec": route(*both)["spec"] | {"parentRefs": []}}
    assert lineups.share_of(gone, "ads-green-predictor") == 5, "it is of a gateway no more asked"
    unparented = route(*both) | {"status": {}}
    assert lineups.share_of(unparented, "ads-green-predictor") == 5


def test_a_pod_that_is_missing_for_a_moment_is_none_that_is_gone() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def deployment(status: str, ago: int, available: int) -> dict[str, Any]:
        since = times.to_text(now - timedelta(seconds=ago))
        condition = {"type": "Available", "status": status, "lastTransitionTime": since}
        return {"status": {"conditions": [condition], "availableReplicas": available}}

    assert lineups.is_whole(deployment("True", 900, 2), now)
    assert lineups.is_whole(deployment("False", 30, 1), now)
    assert not lineups.is_whole(deployment("False", 90, 1), now)
    assert not lineups.is_whole(deployment("False", 5, 0), now)
    assert not lineups.is_whole({}, now)


def test_pods_count_once_their_newest_form_is_available() -> None:
    status = {"observedGeneration": 3, "availableReplicas": 2, "updatedReplicas": 1}
    assert lineups.available({"metadata": {"generation": 3}, "status": status}) == 1
    assert lineups.available({"metadata": {"generation": 4}, "status": status}) == 0
    assert lineups.available({}) == 0


def test_names_fit_into_kserves_label() -> None:
    for name in lineups.NAMES:
        assert len(f"isvc.{lineups.deployment('a' * 40, name)}") <= 63


def canaries(ads: LearningLoop) -> LearningLoop:
    rollout = ads.spec.rollout.model_copy(update={"mode": "canary"})
    return ads.model_copy(update={"spec": ads.spec.model_copy(update={"rollout": rollout})})


def test_a_canary_is_what_kserve_takes(ads: LearningLoop) -> None:
    """A STORAGE_URI on both, none of the fields that scale, and no downloader of KServe's."""
    lineup = Lineup("blue", ONE, (3, 3), Canary("green", TWO, 25, 1))
    spec = serving.inference_service(canaries(ads), lineup, PLATFORM)["spec"]
    (entry,) = spec["canary"]
    assert (entry["trafficPercent"], entry["predictor"]["minReplicas"]) == (25, 1)
    assert not {"maxReplicas", "scaleMetric", "scaleTarget"} & set(entry["predictor"])
    assert entry["predictor"]["annotations"] == {BUNDLE: TWO}
    uris = []
    for predictor in (spec["predictor"], entry["predictor"]):
        environ = predictor["containers"][0]["env"]
        uris += [e["value"] for e in environ if e["name"] == "STORAGE_URI"]
        assert [one["name"] for one in predictor["initContainers"]] == ["storage-initializer"]
    assert uris == [f"s3://b/ads/bundles/ads-ctr/{version}/" for version in (ONE, TWO)]


def test_a_rollout_whose_mode_is_changed_is_still_what_kserve_takes(ads: LearningLoop) -> None:
    lineup = Lineup("blue", ONE, (3, 3), Canary("green", TWO, 25, 1))
    assert ads.spec.rollout.mode == "direct"
    spec = serving.inference_service(ads, lineup, PLATFORM)["spec"]
    assert str(spec).count("'STORAGE_URI'") == 2


def test_a_loop_without_canaries_asks_nothing_of_kserves_storage(ads: LearningLoop) -> None:
    spec = serving.inference_service(ads, Lineup("", ONE, BOUNDS), PLATFORM)["spec"]
    assert "canary" not in spec
    assert "initContainers" not in spec["predictor"]
    assert "STORAGE_URI" not in str(spec)


@pytest.mark.parametrize(("share", "percent"), [(0.001, 1), (0.25, 25), (0.999, 99)])
def test_a_share_is_never_none_and_never_all(ads: LearningLoop, share: float, percent: int) -> None:
    assert serving.goal(ads, PLATFORM, ONE, TWO, share).percent == percent
    assert serving.goal(ads, PLATFORM, ONE).percent == 0


def test_the_champions_service_follows_what_has_all_the_traffic(ads: LearningLoop) -> None:
    def selected(lineup: Lineup) -> str:
        return serving.champion_service(ads, lineup)["spec"]["selector"]["app"]

    canary = Canary("green", TWO, 50, 1)
    assert selected(Lineup("", ONE, BOUNDS)) == "isvc.ads-ctr-predictor"
    assert selected(Lineup("blue", ONE, BOUNDS, canary)) == "isvc.ads-ctr-blue-predictor"
    whole = Canary("green", TWO, 100, 1)
    assert selected(Lineup("blue", ONE, BOUNDS, whole)) == "isvc.ads-ctr-green-predictor"
