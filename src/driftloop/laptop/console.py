"""Console: the timeline and the progress bar of a run, for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from driftloop.evaluation import comparison
from driftloop_contracts import event_types as types
from driftloop_contracts.cloudevent import CloudEvent

Line = Callable[[dict[str, Any]], str]


class Timeline:
    """Prints events as they happen; quiet windows are counted, not listed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._quiet = 0

    def show(self, event: CloudEvent) -> None:
        """Print one line for an event that a person wants to see."""
        if event.type == types.WINDOW_SCORED and not _fired(event.data):
            self._quiet += 1
            return
        line = LINES.get(event.type)
        if line is None:
            return
        self.flush()
        self.say(event.time, *line(dict(event.data)).split("|", 1))

    def say(self, time: datetime, what: str, text: str) -> None:
        """Print one line of the timeline; ``time`` is the event's."""
        self.console.print(f"[dim]{time:%Y-%m-%d}[/]  [bold]{what:<10}[/] ", end="")
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def flush(self) -> None:
        """Print how many quiet windows passed since the last line."""
        if self._quiet:
            self.console.print(f"            [dim]window     {self._quiet} scored, quiet[/]")
        self._quiet = 0


def _fired(data: Any) -> bool:
    return any(feature["shift"] or feature["fault"] for feature in data["features"])


def _window(data: dict[str, Any]) -> str:
    fired = [f for f in data["features"] if f["shift"] or f["fault"]]
    parts = [f"{f['name']} {f['fault'] or format(f['effect'], '.2f')}" for f in fired]
    return f"window|{data['n']} rows of {data['window_start'][:10]}: {', '.join(parts)}"


def _drift(data: dict[str, Any]) -> str:
    shifts = [f"{s['name']} by {s['effect']:.2f}" for s in data["shifts"]]
    faults = [f"{f['name']} broken ({f['fault']})" for f in data["faults"]]
    return f"drift|{', '.join(shifts + faults)}"


def _ended(data: dict[str, Any]) -> str:
    return f"gate|{data['retraining']}: {data['verdict']}. {' '.join(data['reasons'])}"


def _judged(data: dict[str, Any]) -> str:
    said = f"{data['version']}, on later rows: {data['verdict']}"
    return f"gate|{said}. {' '.join(data['reasons'])}"


def _opened(data: dict[str, Any]) -> str:
    causes = "; ".join(f"{c['kind']}: {c['evidence'][0]}" for c in data["causes"])
    return f"retraining|{data['retraining']} for {causes}"


def _returned(data: dict[str, Any]) -> str:
    return f"returned|{data['from']} -> {data['to']} ({data['rule']})"


LINES: dict[str, Line] = {
    types.WINDOW_SCORED: _window,
    types.DRIFT_DETECTED: _drift,
    types.DATA_FAULT: lambda data: f"alert|{data['text']}",
    types.RETRAINING_OPENED: _opened,
    types.RETRAINING_ENDED: _ended,
    types.SHADOW_JUDGED: _judged,
    types.RETRAINING_DEFERRED: lambda data: f"deferred|{data['cause']['kind']}: {data['reason']}",
    types.ROLLOUT_SHIFTED: lambda data: f"rollout|{data['version']} takes {data['share']:.0%}",
    types.ROLLOUT_WITHDRAWN: lambda data: f"rollback|{data['why']}",
    types.STAGE_RETURNED: _returned,
    types.ROLLOUT_PROMOTED: lambda data: f"promotion|{data['version']} takes all traffic",
}


@contextmanager
def progress(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar while the block runs; call the yielded function once per step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def closing_table(summary: dict[str, Any]) -> Table:
    """Return the table that ends a run."""
    table = Table(title=f"{summary['usecase']}: {summary['data']}", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in _figures(summary):
        table.add_row(name, value)
    return table


def _figures(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "predictions", f"{summary['predictions']:,}"
    parity = summary["parity"]
    yield "served otherwise than trained", f"{parity['differing']:,} of {parity['values']:,} values"
    yield "windows scored", f"{summary['windows']:,}"
    yield "drift events", str(summary["drift_events"])
    yield "retrainings", str(len(summary["retrainings"]))
    yield "promotions", str(len(summary["promotions"]))
    for name in comparison.POLICIES:
        policy = summary["comparison"].get(name)
        if policy:
            yield f"log loss, {name}", f"{policy['log_loss']:.5f} ({policy['fits']} fits)"
    yield "wall time", f"{summary['wall_seconds']:.0f} s"
    yield "peak memory", f"{summary['peak_rss_mb']:.0f} MB"
