from __future__ import annotations

from pathlib import Path

import pytest

from driftloop.stages.rules import RULES
from driftloop.stages.stage import Stage

PAGE = (Path(__file__).parents[3] / "docs" / "stages.md").read_text()


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
def test_the_page_says_when_each_rule_holds_and_where_it_leads(rule) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| `{rule.name}` |")]
    assert len(rows) == 1
    _, _, way, when, _, _ = rows[0].split("|")
    assert way.strip() == f"{rule.source.value} -> {rule.target.value}"
    assert when.strip() == rule.when


def test_the_page_names_no_rule_that_there_is_not() -> None:
    table = PAGE.partition("## The rules")[2].partition("\n## ")[0]
    named = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert set(named) == set(RULES)


@pytest.mark.parametrize("stage", Stage)
def test_the_page_names_every_stage(stage) -> None:
    assert f"**{stage.title}**" in PAGE
