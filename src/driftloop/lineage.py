"""Lineage: from the events that triggered a retraining to the traffic of its bundle, and back.

Read from a run's events.jsonl or from the controller's log: both hold every CloudEvent, one a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from driftloop_contracts import event_types as types

Event = dict[str, Any]
TRAFFIC = (
    types.SHADOW_JUDGED,
    types.ROLLOUT_SHIFTED,
    types.ROLLOUT_WITHDRAWN,
    types.ROLLOUT_PROMOTED,
)


@dataclass(frozen=True)
class Lineage:
    """One Retraining: what triggered it, how it was opened and ended, what its bundle served.

    ``returned``: to which stages it sent the loop back, or was sent.
    """

    name: str
    triggers: tuple[Event, ...]
    opened: Event
    ended: Event | None
    traffic: tuple[Event, ...]
    returned: tuple[Event, ...] = ()

    @property
    def version(self) -> str:
        """Return the bundle's version, '' where it made none."""
        return str(self.ended["data"].get("version") or "") if self.ended else ""


def read(lines: Iterable[str]) -> list[Event]:
    """Return the CloudEvents among ``lines``, in order of time; what else a log holds is left out.

    >>> log = ["INFO started", '{"id": "1", "type": "t", "time": "2026-01-01", "data": {}}']
    >>> [event["id"] for event in read(log)]
    ['1']
    """
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and {"id", "type", "time", "data"} <= event.keys():
            found.append(event)
    return sorted(found, key=lambda event: str(event["time"]))


def trace(name: str, events: Sequence[Event]) -> list[Lineage]:
    """Return the lineages that ``name`` stands in: a Retraining's, a version's or an event's id."""
    every = [
        _lineage(event, events) for event in events if event["type"] == types.RETRAINING_OPENED
    ]
    return [
        one
        for one in every
        if name in (one.name, one.version) or name in [event["id"] for event in _all(one)]
    ]


def _all(one: Lineage) -> list[Event]:
    ended = [one.ended] if one.ended else []
    return [*one.triggers, one.opened, *ended, *one.traffic, *one.returned]


def _lineage(opened: Event, events: Sequence[Event]) -> Lineage:
    name = opened["data"]["retraining"]
    ended = next((e for e in events if e["type"] == types.RETRAINING_ENDED and _of(e, name)), None)
    version = ended["data"].get("version") if ended else None
    served = [e for e in events if e["type"] in TRAFFIC and e["data"]["version"] == version]
    sent = [
        e
        for e in events
        if e["type"] == types.STAGE_RETURNED and e["data"].get("retraining") == name
    ]
    triggers = tuple(_triggers(opened, version, events))
    return Lineage(name, triggers, opened, ended, tuple(served), tuple(sent))


def _of(event: Event, retraining: str) -> bool:
    return bool(event["data"]["retraining"] == retraining)


def _triggers(opened: Event, own: str | None, events: Sequence[Event]) -> list[Event]:
    """Return the windows within the drift that it was opened for, of the champion of the time."""
    spans = [(c["onset"], c["until"]) for c in opened["data"]["causes"] if c["kind"] == "drift"]
    champion = _champion(opened, own, events)
    return [
        event
        for event in events
        if event["type"] == types.DRIFT_DETECTED
        and event["data"]["shifts"]
        and event["data"]["bundle_version"] == champion
        and any(_within(event["data"], span) for span in spans)
    ]


def _within(window: Event, span: tuple[str | None, str]) -> bool:
    onset, until = span
    start, end = str(window["window_start"]), str(window["window_end"])
    return (onset is None or onset <= start) and end <= until


def _champion(opened: Event, own: str | None, events: Sequence[Event]) -> str:
    """Return what was promoted last before a Retraining was opened; ``own``: what it made."""
    before = [
        event["data"]["version"]
        for event in events
        if event["type"] == types.ROLLOUT_PROMOTED and event["time"] <= opened["time"]
    ]
    return next((version for version in reversed(before) if version != own), "")


def sentences(one: Lineage) -> list[str]:
    """Return a lineage as lines for people."""
    lines = [one.name]
    for event in one.triggers:
        shifted = ", ".join(shift["name"] for shift in event["data"]["shifts"])
        lines.append(_line("triggered by", event["time"], f"{event['id']}: {shifted}"))
    for cause in one.opened["data"]["causes"]:
        first, *more = cause["evidence"]
        others = f" (and {len(more)} more)" if more else ""
        lines.append(_line("opened for", one.opened["time"], f"{cause['kind']}: {first}{others}"))
    if one.ended is None:
        return [*lines, *map(_returned, one.returned), _line("goes on", "", "")]
    told = one.ended["data"]
    lines += [_line(str(told["verdict"]), one.ended["time"], reason) for reason in told["reasons"]]
    lines += [_line("bundle", "", one.version)] if one.version else []
    lines += [_line("traffic", event["time"], _share(event)) for event in one.traffic]
    return [*lines, *map(_returned, one.returned)]


def _returned(event: Event) -> str:
    data = event["data"]
    said = f"{data['from']} -> {data['to']} ({data['rule']}): {data['reason']}"
    return _line("returned", event["time"], said)


def _share(event: Event) -> str:
    data = event["data"]
    if event["type"] == types.SHADOW_JUDGED:
        return f"{data['verdict']} on later rows: {' '.join(data['reasons'])}"
    if event["type"] == types.ROLLOUT_SHIFTED:
        return f"{data['share']:.0%}"
    return str(data["why"]) if event["type"] == types.ROLLOUT_WITHDRAWN else "all of it"


def _line(what: str, time: str, said: str) -> str:
    return f"  {what:<13} {time:<20} {said}".rstrip()
