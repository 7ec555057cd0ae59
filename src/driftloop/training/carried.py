"""Carried: what sends a loop back, and warnings, from the step that found it to the verdict. Pure.

A step's facts hold its lists under ``returned`` and ``warnings``. The steps after it have them in
the facts of what they read, and hand them on, so that the gate writes all beside its verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from driftloop.stages import returned
from driftloop.stages.returned import Returned
from driftloop_contracts.errors import InvalidInput

KEY = "returned"
WARNINGS = "warnings"
MOST = 20
"""Returns of one run that are kept, the first ones found."""

Facts = dict[str, Any]


def of(facts: Mapping[str, Any]) -> tuple[Returned, ...]:
    """Return what the facts of a step, or a verdict, hold; raise InvalidInput for no returns.

    >>> of({})
    ()
    """
    found = facts.get(KEY) or ()
    if not isinstance(found, list | tuple) or not all(isinstance(one, Mapping) for one in found):
        raise InvalidInput(KEY, "a step's facts", "a list of returns", found)
    return tuple(returned.from_data(one) for one in found[:MOST])


def warnings(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sentences that the facts of a step, or a verdict, warn a person with.

    >>> warnings({}), warnings({"warnings": ["Too old."]})
    ((), ('Too old.',))
    """
    found = facts.get(WARNINGS) or ()
    if not isinstance(found, list | tuple):
        raise InvalidInput(WARNINGS, "a step's facts", "a list of sentences", found)
    return tuple(str(one) for one in found[:MOST])


def onward(facts: Mapping[str, Any], *before: Mapping[str, Any]) -> Facts:
    """Return a step's facts with what the steps ``before`` it found, each once, theirs first.

    Where nobody found anything the facts are as they were.

    >>> onward({"rows": 3}, {"rows": 4})
    {'rows': 3}
    """
    told = [one for each in (*before, facts) for one in of(each)]
    listed = [one.to_data() for one in dict.fromkeys(told)]
    warned = list(dict.fromkeys(one for each in (*before, facts) for one in warnings(each)))
    own = {name: value for name, value in facts.items() if name != KEY}
    own |= {WARNINGS: warned[:MOST]} if warned else {}
    return own | ({KEY: listed[:MOST]} if listed else {})
