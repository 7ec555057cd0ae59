from __future__ import annotations

from typing import Any

import pytest

from driftloop import loop
from driftloop_contracts.errors import InvalidInput


def declared(content: dict[str, Any], labelling: dict[str, Any]) -> Any:
    spec = content["spec"]
    data = spec["data"] | {"labelling": labelling}
    return loop.parse(content | {"spec": spec | {"data": data}}, "loop.yaml").spec.data.labelling


def test_a_loop_without_it_has_binary_labels_that_are_chance(ads: Any) -> None:
    found = ads.spec.data.labelling
    assert (found.classes, found.decidable, found.max_errors) == (("no", "yes"), False, 0.05)
    assert (found.review.rows, found.review.random) == (200, 0.25)


def test_what_is_declared_is_read(content: dict[str, Any]) -> None:
    given = {"classes": ["hr", "it", "stock"], "decidable": True, "maxErrors": "2%"}
    found = declared(content, given | {"review": {"rows": 50, "random": "10%"}})
    assert (len(found.classes), found.max_errors, found.review.rows) == (3, 0.02, 50)


@pytest.mark.parametrize(
    ("labelling", "match"),
    [
        ({"classes": ["one"]}, "data.labelling.classes"),
        ({"classes": ["a", "a"]}, "names that differ"),
        ({"classes": ["a", " "]}, "names that differ"),
        ({"maxErrors": 0.05}, "a percentage"),
        ({"review": {"random": "0%"}}, "a share above 0%"),
        ({"review": {"rows": 0}}, "data.labelling.review.rows"),
        ({"maximum": "5%"}, "no such key"),
    ],
)
def test_nonsense_gets_a_sentence(
    content: dict[str, Any], labelling: dict[str, Any], match: str
) -> None:
    with pytest.raises(InvalidInput, match=match):
        declared(content, labelling)
