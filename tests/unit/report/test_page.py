"""The page as a reader of its HTML meets it."""

from __future__ import annotations

import re
import subprocess
import sys
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest

from driftloop.report import page

Found = tuple[dict[str, Any], list[dict[str, Any]]]
HOSTILE = "<script>alert('x')</script>\"&"
VOID = ("meta", "br")


class Nesting(HTMLParser):
    """Collects tags and attributes, and fails on a tag that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(html: str) -> Nesting:
    parser = Nesting()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


@pytest.mark.parametrize("which", ["full", "bare"])
def test_every_tag_is_closed(which: str, request: pytest.FixtureRequest) -> None:
    assert "section" in parsed(request.getfixturevalue(which)).tags


def test_nothing_is_fetched_or_run(full: str) -> None:
    page_parts = parsed(full)
    assert {"script", "link", "img", "iframe", "object", "use"}.isdisjoint(page_parts.tags)
    assert {"src", "srcset", "onclick"}.isdisjoint(name for name, _ in page_parts.attributes)
    links = [str(value) for name, value in page_parts.attributes if name == "href"]
    assert all(value.startswith("#") for value in links), "links stay on the page"
    assert not re.search(r"url\(|@import|https?:", full)
    assert "default-src 'none'" in full


def test_three_plots_are_drawn_wide_and_slim(full: str) -> None:
    for name in ("information gain (ratio) over time", "Drift per feature over time",
                 "Model versions over time"):  # fmt: skip
        assert full.count(f'aria-label="{name}"') == 2


def test_header_has_what_was_run(full: str) -> None:
    header = full[full.index("<header>") : full.index("</header>")]
    for value in ("ads-ctr", "simulator", "2012-04-01 to 2013-03-31", ">7<", "318,250", "239,875",
                  "213 s", "2,384 MB"):  # fmt: skip
        assert value in header


def test_closing_table_has_five_figures(full: str) -> None:
    rows = full[full.index('class="five"') :].partition("</table>")[0]
    assert rows.count("<tr>") == 1 + 5
    assert "89 %" in rows
    assert "3 of 3" in rows


def test_drift_cells_tell_the_exact_value(found: Found) -> None:
    summary, events = found
    window = next(e for e in events if e["type"].endswith("window.scored.v1"))
    window["data"]["features"][0] |= {"effect": 0.0456, "threshold": 0.1, "p_value": 0.125}
    told = "effect 0.0456 / threshold 0.1 = 0.46; p = 0.125, n = 1,000, missing 0"
    assert f"<title>category, 2012-06-30 to 2012-07-01: quiet; {told}" in page.render(*found)
    assert summary["loop"] == "ads-ctr"


def test_each_retraining_says_why_in_full(found: Found, full: str) -> None:
    for row in found[0]["retrainings"]:
        for sentence in row["reasons"] + [e for c in row["causes"] for e in c["evidence"]]:
            assert f"<p>{escape(sentence)}</p>" in full


def test_retrainings_that_promoted_nothing_are_marked(full: str) -> None:
    for verdict in ("held", "rejected", "failed"):
        assert f'class="glyph {verdict}"' in full


def test_policies_are_compared_with_the_interval(full: str) -> None:
    for value in ("never retrained", "retrained daily", "0.09178", "274", "[-0.00081, -0.00012]"):
        assert value in full


@pytest.mark.parametrize(
    "sentence",
    [
        "No cohort of outcomes has matured, so there is no KPI to plot.",
        "No window was scored in this run.",
        "No model was promoted in this run.",
        "No retraining was opened in this run.",
        "The other retraining policies were not computed for this run.",
        "No change was scheduled",
        "there is no period to show",
        "No decision was recorded.",
    ],
)
def test_a_missing_part_leaves_a_sentence(bare: str, sentence: str) -> None:
    assert sentence in bare


def test_an_empty_summary_renders() -> None:
    assert parsed(page.render({}, [])).tags.count("section") == 12


@pytest.mark.parametrize("key", ["comparison", "changes", "kpi", "retrainings", "promotions"])
def test_any_one_part_may_be_absent(found: Found, key: str) -> None:
    summary, events = found
    parsed(page.render({k: v for k, v in summary.items() if k != key}, events))


def test_every_text_from_outside_is_escaped(found: Found) -> None:
    summary, events = _poisoned(found[0]), _poisoned(found[1])
    html = page.render(summary, events)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 100
    parsed(html)


def _poisoned(value: Any, key: str = "") -> Any:
    """Return ``value`` with every text replaced, but for times and event types."""
    if isinstance(value, dict):
        return {k: _poisoned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_poisoned(item, key) for item in value]
    keep = key in ("type", "time", "event_time") or (isinstance(value, str) and value[-1:] == "Z")
    return value if keep or not isinstance(value, str) else HOSTILE


def test_the_same_run_gives_the_same_page(found: Found) -> None:
    assert page.render(*found) == page.render(*found)


def test_rendering_needs_the_standard_library_only() -> None:
    code = (
        "import sys; from driftloop.report import page; page.render({}, []); "
        "heavy = {'numpy', 'pandas', 'pydantic', 'httpx'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
