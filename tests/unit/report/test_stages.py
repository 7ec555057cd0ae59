"""The six stages on a run's page: how often each ran, and how they sent the loop back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from driftloop.report import page
from driftloop.stages.rules import RULES
from driftloop.stages.stage import Stage

Found = tuple[dict[str, Any], list[dict[str, Any]]]


def part(html: str) -> str:
    start = html.index("<h2>The six stages</h2>")
    return html[start : html.index("</section>", start)]


def event(rule: str, reason: str, retraining: str = "") -> dict[str, Any]:
    data = RULES[rule].returned(reason).to_data() | (
        {"retraining": retraining} if retraining else {}
    )
    return {
        "specversion": "1.0", "id": rule, "source": "/driftloop/ads-ctr/controller", "data": data,
        "type": "io.driftloop.stage.returned.v1", "time": "2012-10-05T00:00:00Z",
    }  # fmt: skip


def test_every_stage_says_how_often_it_ran(full: str) -> None:
    shown = part(full)
    for stage in Stage:
        assert f"{stage.number} {stage.title}" in shown
    for said in ("12 training sets", "11 candidates judged", "9 promotions", "275 windows"):
        assert said in shown
    assert "No stage sent the loop back in this run." in shown


@pytest.mark.parametrize("which", ["full", "bare"])
def test_every_link_leads_to_a_section_of_the_page(
    which: str, request: pytest.FixtureRequest
) -> None:
    html = request.getfixturevalue(which)
    anchors = set(re.findall(r'href="#([a-z]+)"', html))
    assert anchors >= {"drift", "versions"}
    assert anchors <= set(re.findall(r'<section[^>]* id="([a-z]+)"', html))


def test_a_return_is_shown_with_its_rule_and_reason(found: Found) -> None:
    summary, events = found
    told = [event("data_drift", "category <b>shifted</b>.", "ads-ctr-3"), event("end", "Too dear.")]
    shown = part(page.render(summary, [*events, *told]))
    for said in (
        "monitoring → model development", "data drift", "2012-10-05", "(ads-ctr-3)",
        "category &lt;b&gt;shifted&lt;/b&gt;.", "business analysis → scoping", "Too dear.",
    ):  # fmt: skip
        assert said in shown
