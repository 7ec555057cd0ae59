"""Who serves a loop, step by step, on a KServe that deletes at once and starts slowly."""

from __future__ import annotations

import random
from typing import Any

import pytest

from driftloop.loop import LearningLoop
from driftloop.resources import lineup as lineups
from driftloop.resources import serving
from driftloop.resources.lineup import BUNDLE, Canary, Goal, Lineup, Seen
from driftloop.resources.platform import Platform

BOUNDS = (2, 6)
PLATFORM = Platform("platform", "sidecar", "s3://b/ads", "http://c", replicas=BOUNDS)
ONE, TWO, THREE = "0001-a", "0002-b", "0003-c"


class Kserve:
    """KServe and a gateway: pods take their time, routes follow, the unexpected goes at once."""

    def __init__(self, rng: random.Random, pods: int = 3) -> None:
        self.rng, self.pods, self.lineup = rng, pods, None
        self.available: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.routed: dict[str, int] = {}

    def apply(self, lineup: Lineup) -> None:
        assert lineup.canary is None or lineup.canary.name != lineup.name
        assert lineup.canary is None or lineup.canary.replicas <= lineup.replicas[0]
        was, self.lineup = self.lineup, lineup
        gone = set(self.available) - set(self.expected())
        if was is not None:
            assert not [name for name in gone if self.routed.get(name)], "a route leads nowhere"
            assert lineups.leading(was) not in gone, "callers inside are led nowhere"
        for name in gone:
            del self.available[name]

    def expected(self) -> dict[str, int]:
        canary = self.lineup.canary
        beside = {canary.name: canary.replicas} if canary else {}
        return {self.lineup.name: self.pods} | beside

    def pass_time(self) -> None:
        for name, wanted in self.expected().items():
            started = self.available.get(name, 0) + self.rng.randint(0, 1)
            self.available[name] = min(max(started, self.available.get(name, 0)), wanted)
        canary = self.lineup.canary
        share = canary.percent if canary and self.available[canary.name] else 0
        if self.rng.random() < 0.5:
            beside = {canary.name: share} if canary else {}
            self.written = {self.lineup.name: 100 - share} | beside
        if self.rng.random() < 0.5:
            self.routed = self.written

    def seen(self) -> Seen:
        canary = self.lineup.canary
        if canary is None:
            return Seen(self.pods)
        is_taken = self.routed == self.written
        routed = frozenset([self.written.get(canary.name, 0)]) if is_taken else None
        return Seen(self.pods, self.available.get(canary.name, 0), routed)


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
        assert kserve.lineup.canary == Canary("v2", TWO, percent, kserve.available["v2"])
    brought(kserve, Goal(TWO, BOUNDS, True))
    assert kserve.lineup == Lineup("v2", TWO, BOUNDS)
    assert kserve.available == {"v2": kserve.pods}


@pytest.mark.parametrize("seed", range(20))
def test_a_candidate_that_goes_back_leaves_the_stable_one_as_it_was(seed: int) -> None:
    kserve = served(seed)
    brought(kserve, Goal(ONE, BOUNDS, True, TWO, 50))
    brought(kserve, Goal(ONE, BOUNDS, True))
    assert kserve.lineup == Lineup("v1", ONE, BOUNDS)


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
    live = Lineup("v1", ONE, (9, 9), Canary("v2", TWO, 5, 1))
    more = lineups.following(live, Seen(8, 1, frozenset({5})), goal)
    assert more == Lineup("v1", ONE, (10, 10), Canary("v2", TWO, 5, 2))
    assert lineups.following(more, Seen(8, 1, frozenset({5})), goal) == more
    assert lineups.following(more, Seen(8, 2, frozenset({5})), goal).canary.percent == 25


def test_the_stable_one_keeps_the_pods_it_had_though_kserve_takes_the_canarys_away() -> None:
    goal = Goal(ONE, BOUNDS, True, TWO, 50)
    dark = lineups.following(Lineup("v1", ONE, BOUNDS), Seen(pods=4), goal)
    assert dark == Lineup("v1", ONE, (4, 6), Canary("v2", TWO, 0, 2))
    ready = lineups.following(dark, Seen(4, 2, frozenset({0})), goal)
    assert ready == Lineup("v1", ONE, (6, 6), Canary("v2", TWO, 50, 2))
    assert lineups.following(ready, Seen(4, 2, frozenset({50})), Goal(ONE, BOUNDS, True)) == (
        Lineup("v1", ONE, (6, 6), Canary("v2", TWO, 0, 2))
    )


def test_without_a_split_the_pods_change_under_their_name() -> None:
    live = Lineup("", ONE, BOUNDS)
    assert lineups.following(live, Seen(2), Goal(TWO, BOUNDS)) == Lineup("", TWO, BOUNDS)
    assert lineups.first(Goal(TWO, BOUNDS)) == Lineup("", TWO, BOUNDS)


def test_a_canary_that_has_no_traffic_yet_by_the_gateway_stays() -> None:
    live = Lineup("v1", ONE, (3, 3), Canary("v2", TWO, 0, 1))
    assert lineups.following(live, Seen(2, 1, None), Goal(ONE, BOUNDS, True)) == live
    taken = lineups.following(live, Seen(2, 1, frozenset({0})), Goal(ONE, BOUNDS, True))
    assert taken == Lineup("v1", ONE, BOUNDS)


@pytest.mark.parametrize("canary", [None, Canary("v2", TWO, 25, 1)])
def test_what_is_written_is_read_as_it_was(ads: LearningLoop, canary: Canary | None) -> None:
    lineup = Lineup("v1", ONE, (3, 3), canary)
    assert lineups.read(serving.inference_service(ads, lineup, PLATFORM)) == lineup


def test_what_somebody_else_wrote_is_read_without_a_stumble() -> None:
    assert lineups.read({"spec": {"predictor": {}}}) == Lineup("", "", (1, 1))


def route(*weights: tuple[str, int], generation: int = 2, observed: int = 2) -> dict[str, Any]:
    backends = [{"name": name, "weight": weight} for name, weight in weights]
    conditions = [{"type": "Accepted", "observedGeneration": observed}]
    return {
        "metadata": {"generation": generation},
        "spec": {"rules": [{"backendRefs": backends}]},
        "status": {"parents": [{"conditions": conditions}]},
    }


def test_a_share_is_read_from_the_route_that_is_in_force() -> None:
    both = (("ads-v1-predictor", 95), ("ads-v2-predictor", 5))
    assert lineups.share_of(route(*both), "ads-v2-predictor") == 5
    assert lineups.share_of(route(*both, observed=1), "ads-v2-predictor") is None
    assert lineups.share_of(route(("ads-v1-predictor", 1)), "ads-v2-predictor") == 0
    unparented = route(*both) | {"status": {}}
    assert lineups.share_of(unparented, "ads-v2-predictor") == 5


def test_pods_count_once_their_newest_form_is_available() -> None:
    status = {"observedGeneration": 3, "availableReplicas": 2, "updatedReplicas": 1}
    assert lineups.available({"metadata": {"generation": 3}, "status": status}) == 1
    assert lineups.available({"metadata": {"generation": 4}, "status": status}) == 0
    assert lineups.available({}) == 0


def test_names_fit_into_kserves_label() -> None:
    longest = lineups.deployment("a" * 40, lineups.name_of("99999-1a2b3c4d", "v99999"))
    assert len(f"isvc.{longest}") <= 63


def canaries(ads: LearningLoop) -> LearningLoop:
    rollout = ads.spec.rollout.model_copy(update={"mode": "canary"})
    return ads.model_copy(update={"spec": ads.spec.model_copy(update={"rollout": rollout})})


def test_a_canary_is_what_kserve_takes(ads: LearningLoop) -> None:
    """A STORAGE_URI on both, none of the fields that scale, and no downloader of KServe's."""
    lineup = Lineup("v1", ONE, (3, 3), Canary("v2", TWO, 25, 1))
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

    canary = Canary("v2", TWO, 50, 1)
    assert selected(Lineup("", ONE, BOUNDS)) == "isvc.ads-ctr-predictor"
    assert selected(Lineup("v1", ONE, BOUNDS, canary)) == "isvc.ads-ctr-v1-predictor"
    whole = Canary("v2", TWO, 100, 1)
    assert selected(Lineup("v1", ONE, BOUNDS, whole)) == "isvc.ads-ctr-v2-predictor"
