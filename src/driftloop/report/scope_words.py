"""Scope words: the findings of scoping as rows of text, for the terminal and the page alike."""

from __future__ import annotations

from driftloop.evaluation.difference import Interval
from driftloop.report import wording
from driftloop.scoping import reach
from driftloop.scoping.inventory import Inventory
from driftloop.scoping.scope import TENFOLD, Estimates, Scope

Rows = list[tuple[str, ...]]


def charter(found: Scope) -> Rows:
    """Return what the charter and the framing say, and what is left out."""
    spec, charter = found.loop.spec, found.loop.spec.charter
    budget, framing = charter.budget, spec.scoping
    compute = budget.model_dump(mode="json")["compute"]
    kpi, money = spec.objective.kpi, budget.cost
    told = {
        "wish": framing.wish,
        "input": framing.input,
        "output": framing.output,
        "objective": framing.objective or f"{spec.objective.direction} {spec.objective.metric}",
        "without ML": framing.rule,
        "KPI": f"{kpi.name} = {kpi.formula} ({kpi.unit})",
        "target": _target(found),
        "owner": charter.owner,
        "stakeholders": ", ".join(charter.stakeholders),
        "budget of labels": wording.number(budget.labels),
        "budget of compute": compute or wording.NONE,
        "budget of memory": wording.number(budget.memory and budget.memory / 1e6) + " MB",
        "budget of cost": f"{money.events:g} {budget.currency} per {money.period}" if money else "",
        "stop when": charter.stop_when,
    }
    return [
        (name, value if value not in ("", "— MB") else wording.NONE) for name, value in told.items()
    ]


def inventory(found: Scope) -> Rows:
    """Return what data there are."""
    one = found.inventory
    delay = ", ".join(wording.duration(seconds) for seconds in one.delay_seconds) or wording.NONE
    share = wording.share(one.share_labelled)
    window = f"{one.labels:,} in the training window; {share} of all mature rows have one"
    mature = wording.duration(one.maturity_seconds)
    return [
        ("source", one.source),
        ("rows", f"{one.rows:,} of {one.impressions:,.0f} impressions"),
        ("span", f"{one.first} to {one.last}"),
        ("newest row", _freshness(one)),
        ("labels", window),
        *(
            []
            if found.loop.spec.objective.classes
            else [("positives", f"{one.positives:,.0f}, a rate of {wording.short(one.rate)}")]
        ),
        ("labels known after", f"{delay} (half, 90 %, 99 %); mature after {mature}"),
    ]


def steps(found: Scope) -> Rows:
    """Return where the time of today's process lies."""
    if found.bottleneck is None:
        return []
    return [
        (
            one.step,
            f"{one.count:,}",
            between(one.minutes, ".3g"),
            between(one.share, ".0%"),
            between(found.bottleneck.saved(one.step), ".0%"),
        )
        for one in found.bottleneck.steps
    ]


def rules(found: Scope) -> Rows:
    """Return the rules without ML, the best first."""
    return [(one.rule.name, one.rule.says, f"{one.loss:.5f}") for one in found.rules]


def estimates(found: Scope) -> Rows:
    """Return what a fit takes and gives on the runs' sizes, on all rows and on ten times them."""
    if found.estimates is None:
        return []
    known = found.estimates
    rows: Rows = [
        (f"{size:,.0f}", "measured", *_measured(known, place))
        for place, size in enumerate(known.loss.runs.size)
    ]
    for times, name in ((1, "all rows"), (TENFOLD, "ten times")):
        size = times * found.rows
        rows.append((f"{size:,}", name, *_expected(known, size)))
    return rows


def checks(found: Scope) -> Rows:
    """Return what of the charter is within reach."""
    return [
        (one.name, wording.NONE if one.chance is None else reach.percent(one.chance), one.says)
        for one in found.checks
    ]


def between(interval: Interval, form: str) -> str:
    """Return an estimate with its bounds.

    >>> between(Interval(0.1, 0.2, 0.3), ".0%")
    '20% (10% to 30%)'
    """
    low, middle, high = interval
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def _freshness(one: Inventory) -> str:
    promised = wording.duration(one.freshness_seconds)
    if one.age_seconds is None:
        return f"its age is not asked (--as-of); at most {promised} is promised"
    kept = "as promised" if one.is_fresh else "older than promised"
    return f"{wording.duration(one.age_seconds)} old, {kept} (at most {promised})"


def _target(found: Scope) -> str:
    target, kpi = found.loop.spec.charter.target, found.loop.spec.objective.kpi
    if target is None:
        return wording.NONE
    if target.kpi is None:
        return f"{found.loop.spec.objective.metric} {target.metric:g}"
    loss = f", a loss of {found.target:.4g}" if found.target is not None else ""
    return f"{kpi.name} {target.kpi:g}{loss}"


def _measured(known: Estimates, place: int) -> tuple[str, str, str]:
    frame = known.runs
    part = frame[frame["rows"] == known.loss.runs.size[place]]
    mean = part[["loss", "seconds", "memory"]].mean()
    return f"{mean['loss']:.5f}", f"{mean['seconds']:.2f} s", f"{mean['memory'] / 1e6:,.0f} MB"


def _expected(known: Estimates, rows: int) -> tuple[str, str, str]:
    loss, seconds, memory = (c.at(rows) for c in (known.loss, known.seconds, known.memory))
    return (
        between(loss, ".5f"),
        between(seconds, ".3g") + " s",
        reach.told(memory, reach.size),
    )
