"""Metrics: the counts as Prometheus reads them.

Source: Prometheus, text-based exposition format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drift_sidecar import latest

CONTENT_TYPE = "text/plain; version=0.0.4"
COUNTERS = {
    "rows": "Inference records taken.",
    "batches": "Batches of records taken.",
    "windows": "Windows scored.",
    "events": "Events made of windows.",
    "late": "Records that came after their window had closed.",
    "duplicates": "Batches delivered again and let go.",
    "undelivered": "Events that the sink refused, or that a full outbox gave up.",
}
GAUGES = {
    "waiting": "Records that wait for the inference log.",
    "outbox": "Events that wait for the sink.",
    "spool_bytes": "Bytes that the spool takes.",
}
DROPPED = "driftloop_records_dropped_total"
MISSING = "driftloop_records_missing"
REASONS = ("spool_full", "unwritable")
"""Why an acknowledged record is given up."""
NOTHING: Mapping[str, Any] = {"dropped": {}}
"""What an intake without traffic has dropped."""
INTAKE = {
    "refused": ("driftloop_sidecar_rejected_total", "counter", "Requests refused, by reason."),
    "unanswered": (
        "driftloop_sidecar_unanswered_total",
        "counter",
        "Logged requests taken without their prediction, by reason.",
    ),
    "paired": ("driftloop_sidecar_paired_total", "counter", "Logged requests with a response."),
    "duplicate_events": (
        "driftloop_sidecar_duplicate_events_total",
        "counter",
        "Events of other senders that came again.",
    ),
    "halves": ("driftloop_sidecar_halves", "gauge", "Events that wait for their other half."),
    "halves_bytes": ("driftloop_sidecar_halves_bytes", "gauge", "Memory that they take."),
}
"""What the intake counts: name, kind and meaning of each metric."""


def text(status: Mapping[str, Any]) -> str:
    """Return what ``status`` (as Monitor gives it) counts, labelled with loop and bundle.

    >>> print(text({"loop": "ads-ctr", "bundle": "0001-a", "waiting": 3}), end="")
    # HELP driftloop_sidecar_waiting Records that wait for the inference log.
    # TYPE driftloop_sidecar_waiting gauge
    driftloop_sidecar_waiting{loop="ads-ctr",bundle="0001-a"} 3
    """
    own = f'loop="{status["loop"]}",bundle="{status["bundle"]}"'
    labels, lines = f"{{{own}}}", list(latest.text(status, own))
    for kind, said in (("counter", COUNTERS), ("gauge", GAUGES)):
        for name, meaning in said.items():
            if name in status:
                full = f"driftloop_sidecar_{name}" + ("_total" if kind == "counter" else "")
                lines += [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}"]
                lines.append(f"{full}{labels} {status[name]}")
    return "\n".join(lines + _intake(status) + _lost(status, labels)) + "\n"


def _lost(status: Mapping[str, Any], labels: str) -> list[str]:
    if "missing" not in status:
        return []
    lines = [f"# HELP {DROPPED} Records given up, by reason.", f"# TYPE {DROPPED} counter"]
    counts = (
        dict.fromkeys(REASONS, 0) | status["dropped"] | status.get("intake", NOTHING)["dropped"]
    )
    for reason, count in counts.items():
        lines.append(f'{DROPPED}{labels[:-1]},reason="{reason}"}} {count}')
    return [
        *lines,
        f"# HELP {MISSING} Records that never arrived, told by gaps in their numbers.",
        f"# TYPE {MISSING} gauge",
        f"{MISSING}{labels} {status['missing']}",
    ]


def _intake(status: Mapping[str, Any]) -> list[str]:
    """Return what the intake counts, each by its reason where it has one."""
    labels, counts = (
        f'loop="{status["loop"]}",bundle="{status["bundle"]}"',
        status.get("intake", {}),
    )
    lines = []
    for name, (full, kind, meaning) in INTAKE.items() if counts else ():
        lines += [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}"]
        found = counts[name]
        reasons = found.items() if isinstance(found, Mapping) else [("", found)]
        for reason, value in reasons:
            more = f',reason="{reason}"' if reason else ""
            lines.append(f"{full}{{{labels}{more}}} {value}")
    return lines
