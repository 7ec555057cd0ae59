"""Metrics: the counts as Prometheus reads them.

Source: Prometheus, text-based exposition format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4"
COUNTERS = {
    "rows": "Inference records taken.",
    "batches": "Batches of records taken.",
    "windows": "Windows scored.",
    "events": "Events made of windows.",
    "late": "Records that came after their window had closed.",
    "rejected": "Requests refused.",
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


def text(status: Mapping[str, Any]) -> str:
    """Return what ``status`` (as Monitor gives it) counts, labelled with loop and bundle.

    >>> print(text({"loop": "ads-ctr", "bundle": "0001-a", "waiting": 3}), end="")
    # HELP driftloop_sidecar_waiting Records that wait for the inference log.
    # TYPE driftloop_sidecar_waiting gauge
    driftloop_sidecar_waiting{loop="ads-ctr",bundle="0001-a"} 3
    """
    labels = f'{{loop="{status["loop"]}",bundle="{status["bundle"]}"}}'
    lines = []
    for kind, said in (("counter", COUNTERS), ("gauge", GAUGES)):
        for name, meaning in said.items():
            if name in status:
                full = f"driftloop_sidecar_{name}" + ("_total" if kind == "counter" else "")
                lines += [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}"]
                lines.append(f"{full}{labels} {status[name]}")
    return "\n".join(lines + _lost(status, labels)) + "\n"


def _lost(status: Mapping[str, Any], labels: str) -> list[str]:
    if "missing" not in status:
        return []
    lines = [
        f"# HELP {DROPPED} Records acknowledged and then given up.",
        f"# TYPE {DROPPED} counter",
    ]
    for reason in REASONS:
        own = f'{labels[:-1]},reason="{reason}"}}'
        lines.append(f"{DROPPED}{own} {status['dropped'].get(reason, 0)}")
    return [
        *lines,
        f"# HELP {MISSING} Records that never arrived, told by gaps in their numbers.",
        f"# TYPE {MISSING} gauge",
        f"{MISSING}{labels} {status['missing']}",
    ]
