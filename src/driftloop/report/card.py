"""Card: what one bundle is, as an HTML page: its origin, its judgement, what it watches.

After Mitchell et al., "Model Cards for Model Reporting" (2019), as far as a bundle knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from driftloop.report import analysis, classes, document, sections, wording
from driftloop.report.table import Markup, paragraphs, table
from driftloop_contracts.baseline import Baseline

MODELS = {
    "candidate": "the judged model (it has not seen the rows)",
    "champion": "the champion of the time",
    "trivial": "always the training rows' rate",
    "base": "always these rows' own rate",
    "release": "this model (it was fitted on the rows as well)",
}
METRICS = {name: f"{name}_{'entropy' if name == 'base' else 'loss'}" for name in MODELS}
"""What the manifest calls them."""


def render(manifest: Mapping[str, Any], verdict: Mapping[str, Any], baseline: Baseline) -> str:
    """Return the page of a bundle; every name and reason in it is escaped.

    ``manifest``: the content of manifest.json; ``verdict``: what the gate left beside the
    Retraining's name, empty where that is gone.
    """
    facts = manifest["facts"]
    body = [
        _header(manifest),
        document.section("Where it came from", _origin(facts)),
        document.section("How it predicts", _losses(facts, verdict)),
        document.section("Against baselines", analysis.baselines(facts.get("analysis") or {})),
        *classes.sections(facts.get("by_class")),
        document.section("What the gate said", _gate(verdict)),
        document.section("Warnings", _warnings(verdict)),
        document.section("Slices", _slices(verdict.get("slices") or ())),
        document.section(analysis.FAILS, analysis.failures(facts.get("analysis") or {})),
        document.section("Columns", analysis.columns(facts.get("analysis") or {})),
        document.section("What is watched", _watched(baseline)),
        document.section("Files", _files(manifest)),
    ]
    return document.whole(f"{manifest['loop']} {manifest['version']}", "".join(body))


def _header(manifest: Mapping[str, Any]) -> str:
    facts = manifest["facts"]
    told = [
        ("objective", facts.get("objective"), False),
        ("label", facts.get("label"), False),
        ("metric", facts.get("metric"), False),
        ("estimator", facts.get("estimator"), False),
        ("rows", wording.number(facts.get("rows")), False),
        ("data until", manifest["data_end"], True),
    ]
    listed = "".join(
        f"<div{' class=long' if is_long else ''}><dt>{name}</dt><dd>{_text(value)}</dd></div>"
        for name, value, is_long in told
    )
    title = f"{escape(manifest['loop'])} {escape(manifest['version'])}"
    return f"<header><h1>{title}</h1><dl class=facts>{listed}</dl></header>"


def _origin(facts: Mapping[str, Any]) -> str:
    made_by = facts.get("made_by") or {}
    libraries = facts.get("libraries") or {}
    rows = [
        ("Retraining", facts.get("retraining")),
        ("cause", facts.get("cause")),
        ("declaration changed since the champion", _yes(facts.get("changed"))),
        ("training window", " to ".join(map(str, facts.get("training_window") or ()))),
        ("parameters found by a search", _set(facts.get("parameters"))),
        ("judged on rows from", facts.get("holdout_start")),
        ("columns", ", ".join(map(str, facts.get("columns") or ()))),
        ("estimators that competed", ", ".join(map(str, facts.get("estimators") or ()))),
        ("commit ('+': with changes)", made_by.get("commit")),
        ("image", made_by.get("image")),
        ("libraries", ", ".join(f"{name} {version}" for name, version in libraries.items())),
    ]
    return table(["fact", "value"], [(name, _plain(value)) for name, value in rows])


def _set(parameters: object) -> str:
    found = parameters if isinstance(parameters, Mapping) else {}
    return ", ".join(f"{name} = {value}" for name, value in found.items())


def _losses(facts: Mapping[str, Any], verdict: Mapping[str, Any]) -> str:
    metrics, bounds = facts.get("metrics") or {}, verdict.get("losses") or {}
    rows = [
        (told, wording.number(metrics[METRICS[name]], 5), _between(bounds.get(name), 5))
        for name, told in MODELS.items()
        if METRICS[name] in metrics
    ]
    if not rows:
        return sections.empty("The bundle names no metrics.")
    columns = [
        "loss a row in nats, on the held-out rows",
        "value",
        "one-sided bounds (gate.confidence)",
    ]
    return table(columns, rows, numbers={1, 2})


def _between(interval: Sequence[Any] | None, digits: int) -> str:
    """Return the bounds of an interval (low, estimate, high)."""
    if not interval:
        return wording.NONE
    low, _, high = interval
    return f"{wording.number(low, digits)} to {wording.number(high, digits)}"


def _gate(verdict: Mapping[str, Any]) -> str:
    if not verdict:
        return sections.empty("The gate's verdict is gone.")
    name = wording.verdict(str(verdict.get("verdict")))
    cost = verdict.get("cost") or {}
    costs = [
        ("one-row prediction, median", f"{wording.short(cost.get('latency_ms'))} ms"),
        ("all files", f"{wording.short((cost.get('size') or 0) / 1e6)} MB"),
        ("peak of loading and predicting", f"{wording.short((cost.get('memory') or 0) / 1e6)} MB"),
    ]
    said = f'<p><span class="verdict {escape(name)}">{escape(name)}</span></p>'
    reasons = paragraphs([str(reason) for reason in verdict.get("reasons") or ()])
    return said + reasons + (table(["cost", "measured"], costs, numbers={1}) if cost else "")


def _warnings(verdict: Mapping[str, Any]) -> str:
    """Return what the steps warned of: broken promises of the source, rare positives, old data."""
    found = [str(one) for one in verdict.get("warnings") or ()]
    return paragraphs(found) if found else sections.empty("The steps warned of nothing.")


def _slices(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return sections.empty("No slice was judged.")
    columns = [
        "slice",
        "rows",
        "difference of loss",
        "one-sided 95 % bounds",
        "p",
        "harmed",
        "rows lacking",
    ]
    rows = [
        (
            str(one.get("name")),
            wording.number(one.get("rows")),
            wording.signed(one.get("difference"), 4),
            _between(one.get("interval"), 4),
            wording.short(one.get("p_value")),
            _yes(one.get("harmed")),
            wording.number(one.get("lacking")),
        )
        for one in found
    ]
    return table(columns, rows, numbers={1, 2, 3, 4, 6})


def _watched(baseline: Baseline) -> str:
    columns = ["feature", "kind", "smallest effect (Cohen's h)", "range", "missing at most"]
    rows = [
        (
            one.name,
            one.kind,
            wording.short(one.threshold),
            f"{_bound(one.low)} to {_bound(one.high)}" if one.kind == "numeric" else wording.NONE,
            wording.share(one.max_missing),
        )
        for one in baseline.features
    ]
    window = wording.duration(baseline.window_seconds)
    others = ", ".join(name for name, _ in baseline.unmonitored)
    said = f"Windows of {window} with at least {wording.number(baseline.min_rows)} rows."
    logged = f" Logged and not tested: {others}." if others else ""
    return paragraphs([said + logged]) + table(columns, rows, numbers={2, 4})


def _files(manifest: Mapping[str, Any]) -> str:
    return table(["file", "SHA-256"], sorted(manifest["files"].items()))


def _bound(value: float | None) -> str:
    return wording.NONE if value is None else f"{value:g}"


def _yes(value: object) -> str:
    return wording.NONE if value is None else ("yes" if value else "no")


def _plain(value: object) -> str:
    return str(value) if value else wording.NONE


def _text(value: object) -> Markup:
    return Markup(escape(_plain(value)))
