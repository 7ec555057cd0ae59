"""Loops whose bundle changes are hastened while that helps."""

from __future__ import annotations

from driftloop.services.controller.unsettled import SECONDS, Unsettled

ADS = ("shop", "ads-ctr")


def test_a_loop_is_due_until_it_stands_where_it_should() -> None:
    unsettled = Unsettled(lambda: 0.0)
    unsettled.note(ADS, "canary at 0", is_reached=False)
    assert unsettled.due() == [ADS]
    unsettled.note(ADS, "canary at 25", is_reached=True)
    assert unsettled.due() == []


def test_one_that_does_not_move_is_left_to_the_rounds_and_due_again_after_a_step() -> None:
    now = [0.0]
    unsettled = Unsettled(lambda: now[0])
    unsettled.note(ADS, "canary at 0", is_reached=False)
    now[0] = SECONDS
    unsettled.note(ADS, "canary at 0", is_reached=False)
    assert unsettled.due() == []
    unsettled.note(ADS, "canary at 25", is_reached=False)
    assert unsettled.due() == [ADS]


def test_one_that_is_gone_is_let_go() -> None:
    unsettled = Unsettled(lambda: 0.0)
    unsettled.note(ADS, "canary at 0", is_reached=False)
    unsettled.forget(ADS)
    unsettled.forget(ADS)
    assert unsettled.due() == []
