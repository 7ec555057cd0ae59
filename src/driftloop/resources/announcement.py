"""Announcements: what the controller tells, as Events that `kubectl describe` shows."""

from __future__ import annotations

import hashlib
from typing import Any

from driftloop.resources.pod import LOOP, Manifest
from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent

LONGEST = 1000
"""Longest message of an Event, in characters (the API server takes 1,024 bytes)."""
WARNINGS = {event_types.DATA_FAULT}
REASONS = {
    event_types.DATA_FAULT: "DataFault",
    event_types.RETRAINING_OPENED: "RetrainingOpened",
    event_types.RETRAINING_ENDED: "RetrainingEnded",
    event_types.RETRAINING_DEFERRED: "RetrainingDeferred",
    event_types.ROLLOUT_SHIFTED: "RolloutShifted",
    event_types.ROLLOUT_WITHDRAWN: "RolledBack",
    event_types.ROLLOUT_PROMOTED: "Promoted",
    event_types.SHADOW_JUDGED: "ShadowJudged",
    event_types.STAGE_RETURNED: "StageReturned",
    event_types.REVIEWED: "Reviewed",
}
"""The types that are announced; the others are recorded, not shown."""


def of(event: CloudEvent, loop: Manifest) -> Manifest | None:
    """Return the Event for ``event`` on ``loop``, named so that it is made once; None for none."""
    reason = REASONS.get(event.type)
    if reason is None:
        return None
    metadata, time = loop["metadata"], times.to_text(event.time)
    digest = hashlib.blake2b(f"{event.source}\n{event.id}".encode(), digest_size=8).hexdigest()
    failed = event.data.get("verdict") == "failed"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{metadata['name']}.{digest}",
            "namespace": metadata["namespace"],
            "labels": {LOOP: metadata["name"]},
        },
        "involvedObject": {
            "apiVersion": loop["apiVersion"],
            "kind": loop["kind"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if event.type in WARNINGS or failed else "Normal",
        "reason": reason,
        "message": _message(dict(event.data))[:LONGEST],
        "source": {"component": "driftloop-controller"},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }


def _message(data: dict[str, Any]) -> str:
    """Return one sentence from what an event holds.

    >>> _message({"retraining": "ads-ctr-2", "causes": [{"kind": "drift", "evidence": ["x"]}]})
    'ads-ctr-2 for drift: x'
    >>> _message({"retraining": "ads-ctr-2", "verdict": "hold", "reasons": ["Too few rows."]})
    'ads-ctr-2: hold. Too few rows.'
    >>> _message({"from": "deployment", "to": "scoping", "rule": "no_better", "reason": "Worse."})
    'deployment -> scoping (no_better): Worse.'
    """
    if "decision" in data:
        return f"{data['decision']}: {' '.join(map(str, data.get('evidence', ())))}"
    if "rule" in data:
        return f"{data['from']} -> {data['to']} ({data['rule']}): {data['reason']}"
    name = str(data.get("retraining", ""))
    if "causes" in data:
        kinds = ", ".join(cause["kind"] for cause in data["causes"])
        evidence = " ".join(text for cause in data["causes"] for text in cause.get("evidence", ()))
        return f"{name} for {kinds}: {evidence}"
    if "verdict" in data:
        return f"{name}: {data['verdict']}. {' '.join(data['reasons'])}"
    if "why" in data:
        return str(data["why"])
    if "share" in data:
        return f"{data['version']} takes {data['share']:.0%} of the traffic."
    if "version" in data:
        return f"{data['version']} of {name} takes all traffic."
    return str(data.get("text") or data.get("reason") or "")
