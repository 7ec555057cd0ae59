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
    "undelivered": "Events given up because the sink did not take them.",
}
GAUGES = {"waiting": "Records that wait for the inference log."}


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
    return "\n".join(lines) + "\n"
