"""Latest: what the newest window showed, for a look at /status and for Prometheus.

Source: Prometheus, text-based exposition format 0.0.4; names and units after its naming practice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from driftloop_contracts import event_types, times
from driftloop_contracts.cloudevent import CloudEvent
from driftloop_contracts.drift.finding import JOINT_NAME

VERDICTS = ("quiet", "shift", "fault")
OF_FEATURE = {
    "statistic": ("driftloop_drift_statistic", "Test statistic of the newest window."),
    "p_value": ("driftloop_drift_p_value", "Its p-value."),
    "effect": ("driftloop_drift_effect", "Its effect, as Cohen's h; together: as Gini."),
    "threshold": ("driftloop_drift_min_effect", "The smallest effect that counts."),
    "missing_ratio": ("driftloop_drift_missing_ratio", "Share of the weight without a value."),
}
"""What is told of a feature: name and meaning of each gauge."""
OF_WINDOW = {
    "n": ("driftloop_drift_window_rows", "Rows of the newest window."),
    "level": ("driftloop_drift_level", "Significance level of each of its tests."),
    "end": ("driftloop_drift_window_end_timestamp_seconds", "Its end, in event time."),
}
WINDOWS = "driftloop_drift_windows_total"


class Latest:
    """The newest window and how many came out how."""

    def __init__(self) -> None:
        self._window: dict[str, Any] | None = None
        self._verdicts = Counter(dict.fromkeys(VERDICTS, 0))

    def note(self, told: Sequence[CloudEvent]) -> None:
        """Take the events of one window."""
        for event in told:
            if event.type == event_types.WINDOW_SCORED:
                self._window = _window(event.data)
        detected = [e.data for e in told if e.type == event_types.DRIFT_DETECTED]
        self._verdicts[_verdict(detected[0]) if detected else "quiet"] += 1

    def status(self) -> dict[str, Any]:
        """Return the newest window, None before any, and the count of each verdict."""
        return {"window": self._window, "verdicts": dict(self._verdicts)}


def text(status: Mapping[str, Any], labels: str) -> Iterator[str]:
    """Yield the lines of Prometheus; ``labels``: those of every metric, without braces."""
    if "verdicts" not in status:
        return
    yield from _header(WINDOWS, "counter", "Windows scored, by verdict.")
    for verdict, count in status["verdicts"].items():
        yield f'{WINDOWS}{{{labels},verdict="{verdict}"}} {count}'
    window = status["window"]
    if window is None:
        return
    for key, (name, meaning) in OF_WINDOW.items():
        yield from _header(name, "gauge", meaning)
        yield f"{name}{{{labels}}} {window[key]}"
    for key, (name, meaning) in OF_FEATURE.items():
        yield from _header(name, "gauge", meaning)
        for feature, values in window["features"].items():
            if key in values:
                yield f'{name}{{{labels},feature="{escaped(feature)}"}} {values[key]}'


def escaped(value: str) -> str:
    r"""Return a label's value as Prometheus reads it.

    >>> escaped('a "b" \\')
    'a \\"b\\" \\\\'
    """
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _header(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _verdict(detected: Mapping[str, Any]) -> str:
    return "shift" if detected["shifts"] else "fault"


def _window(data: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("statistic", "p_value", "effect", "threshold")
    features = {
        one["name"]: {key: one[key] for key in keys}
        | {"missing_ratio": one["missing"] / max(one["total"], 1e-12)}
        for one in data["features"]
    }
    joint = data["joint"]
    if joint:
        own = {key: joint[key] for key in ("p_value", "effect", "threshold")}
        features[JOINT_NAME] = {"statistic": joint["z"]} | own
    end = times.from_text(data["window_end"]).timestamp()
    return {"n": data["n"], "level": data["level"], "end": end, "features": features}
