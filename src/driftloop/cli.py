"""The command line: ``driftloop run | status | explain | loops | parity``, and the cluster's."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from driftloop import (
    analyse_command,
    card_command,
    cluster_commands,
    keys_command,
    labels_command,
    last_run,
    lineage_command,
    new_command,
    order_commands,
    parity_command,
    retain_command,
    review_command,
    scope_command,
    story_command,
    usecase,
)
from driftloop.usecase import Span
from driftloop_contracts.errors import DriftloopError, InvalidInput, RunFailed

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Declare an ML system once; it trains, serves, watches and retrains itself.",
)

SHOWN = 5
"""Returns of stages that ``driftloop status`` shows."""
OutOption = Annotated[Path | None, typer.Option("--out", help="The run's folder.")]


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="USECASE", help="A folder of usecases/.")],
    data: Annotated[Path | None, typer.Option(help="A log; default: the simulator.")] = None,
    first: Annotated[str, typer.Option("--from", help="Use only rows from this day on.")] = "",
    last: Annotated[str, typer.Option("--to", help="Use only rows up to this day.")] = "",
    out: OutOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulator.")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Router's port; 0: any free.")] = 0,
    compare: Annotated[bool, typer.Option(help="Score other policies afterwards.")] = True,
) -> None:
    """Replay a stream through the whole loop on this machine."""
    from driftloop.laptop.run import Request
    from driftloop.laptop.run import run as turn

    span = Span(data, _day(first, "--from"), _day(last, "--to"), seed)
    if span.first and span.last and span.first > span.last:
        raise InvalidInput("--to", "the command", f"a day from {span.first} on", str(span.last))
    case = usecase.find(name)
    turn(Request(case, span, out or last_run.folder(case.name), port, compare), Console())


@app.command()
def status(
    name: Annotated[str, typer.Argument(metavar="USECASE")] = "ads_ctr", out: OutOption = None
) -> None:
    """Show where a loop stands: champion, drift, retrainings, KPI."""
    folder = out or last_run.folder(usecase.find(name).name)
    found, console = _summary(folder), Console()
    for label, value in _standing(found):
        console.print(f"[bold]{label:<14}[/] ", end="")
        console.print(str(value), markup=False, highlight=False)


@app.command()
def explain(
    retraining: Annotated[str, typer.Argument(help="Such as ads-ctr-2.")], out: OutOption = None
) -> None:
    """Say why a retraining ran, or did not, from the recorded reasons."""
    loop_name, _, number = retraining.rpartition("-")
    folder = out or last_run.folder(loop_name.replace("-", "_"))
    found = _summary(folder)
    rows = {row["id"]: row for row in found["retrainings"]}
    if retraining not in rows:
        allowed = f"one of {sorted(rows)}" if rows else "a retraining; there was none"
        raise InvalidInput("the retraining", str(folder), allowed, retraining)
    _print(_story(rows[retraining], found))


@app.command()
def loops() -> None:
    """List the use cases found here and how their last run stands."""
    table = Table("use case", "loop", "champion", "last run", box=None)
    for name in usecase.folders():
        case = usecase.find(name)
        path = last_run.folder(name) / "summary.json"
        found = json.loads(path.read_text()) if path.exists() else None
        champion = _champion(found) if found else "-"
        table.add_row(
            name, case.loop.name, champion, found["last_event_time"] if found else "never"
        )
    Console().print(table)


app.command()(new_command.new)
app.command()(story_command.story)
app.command()(parity_command.parity)
app.command()(card_command.card)
app.command()(analyse_command.analyse)
app.command()(lineage_command.lineage)
app.command()(retain_command.retain)
app.command()(scope_command.scope)
app.command()(review_command.review)
app.add_typer(labels_command.app, name="labels")
app.command()(cluster_commands.render)
app.command()(cluster_commands.doctor)
app.command()(cluster_commands.bucket)
app.command()(cluster_commands.policy)
app.command()(keys_command.keys)
app.command()(order_commands.rollback)
app.command()(order_commands.approve)
app.command()(order_commands.resume)


def main() -> None:
    """Run the command; a person's mistake ends in one sentence, never in a traceback."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _interrupted)
    sys.exit(guarded(app))


def _interrupted(*_: object) -> None:
    """End the run in order, once: what follows must not be cut short by a second Ctrl-C."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)
    raise RunFailed("Interrupted: every process of the run was ended.")


def guarded(command: Callable[[], Any]) -> int:
    """Return the exit code of ``command``: 2 for bad input, 1 for a failed run."""
    try:
        command()
    except InvalidInput as error:
        return _say(error, 2)
    except DriftloopError as error:
        return _say(error, 1)
    except OSError as error:
        return _say(f"{error.strerror or error}: {error.filename or 'no file named'}.", 1)
    return 0


def _say(error: object, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


def _day(text: str, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInput(option, "the command", "a day such as 2012-04-01", text) from None


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise InvalidInput("the run", str(folder), "a finished one", "no summary.json") from None
    except ValueError as error:
        raise InvalidInput("summary.json", str(folder), "JSON", str(error)) from error
    return found


def _champion(found: dict[str, Any]) -> str:
    return found["promotions"][-1]["version"] if found["promotions"] else "none"


def _standing(found: dict[str, Any]) -> list[tuple[str, Any]]:
    newest = found["retrainings"][-1] if found["retrainings"] else None
    last = f"{newest['id']}: {newest['verdict']} ({newest['event_time']})" if newest else "none"
    value = found["kpi"][-1]["value"] if found["kpi"] else None
    return [
        ("loop", found["loop"]),
        ("champion", _champion(found)),
        ("until", found["last_event_time"]),
        ("drift events", found["drift_events"]),
        ("data faults", found["fault_events"]),
        ("retrainings", len(found["retrainings"])),
        ("last", last),
        *_returned(found),
        (found["kpi_name"], "unknown" if value is None else f"{value:.4f} {found['kpi_unit']}"),
    ]


def _returned(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the latest returns, the newest last; a run of before they were told has none."""
    rows = found.get("returned") or []
    return [("returned", f"{row['event_time']}: {_way(row)}") for row in rows[-SHOWN:]]


def _way(row: dict[str, Any]) -> str:
    return f"{row['from']} -> {row['to']} ({row['rule']}): {row['reason']}"


def _story(row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    lines = [f"{row['id']} at {row['event_time']}", "", "Why it ran:"]
    for cause in row["causes"]:
        lines += [f"  {cause['kind']}: {text}" for text in cause["evidence"]]
    lines += ["", f"What came of it: {row['verdict']} {row['version']}".rstrip()]
    lines += [f"  {reason}" for reason in row["reasons"]]
    if row.get("warnings"):
        lines += ["", "What its steps warned of:", *(f"  {one}" for one in row["warnings"])]
    sent = [one for one in found.get("returned") or () if one.get("retraining") == row["id"]]
    if sent:
        lines += ["", "How stages sent the loop back:", *(f"  {_way(one)}" for one in sent)]
    same = [d for d in found["decisions"] if d["event_time"] == row["event_time"]]
    lines += ["", "What the controller recorded then:"]
    return lines + [f"  {d['trigger']}: {reason}" for d in same for reason in d["reasons"]]


def _print(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
