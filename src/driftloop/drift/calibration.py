"""Calibration: from the training's rows to the bundle's reference and its baseline.

How much quiet windows differ is measured where it happened: on blocks of the reference period's
own rows (driftloop_contracts/drift/effective.py). A regime ends where a change was found, so
that the change itself is not taken for quiet variation; the days before it still tell how
much days vary.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from driftloop.features import logged
from driftloop.loop import LearningLoop
from driftloop.spec.features import Column
from driftloop_contracts.baseline import Baseline, FeatureBaseline
from driftloop_contracts.category import text
from driftloop_contracts.drift import distribution, level, measure
from driftloop_contracts.drift.distribution import WEEKDAY, Distribution, Stratum
from driftloop_contracts.drift.finding import PREDICTION_NAME
from driftloop_contracts.inference import CHOSEN

Floats = np.ndarray[Any, np.dtype[np.float64]]

MAX_MISSING = 0.05
"""Share of predictions that may be missing before it is a fault."""
CAUTIOUS = 4.0
"""Least design effect of missing predictions: a response that is lost is rarely lost alone."""


def build(
    rows: pd.DataFrame,
    loop: LearningLoop,
    onset: datetime | None,
    rng: np.random.Generator,
    predicted: Floats | None = None,
    latest: pd.DataFrame | None = None,
    held_out: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, Baseline]:
    """Return the reference sample (monitored columns) and the baseline.

    ``rows``: joined training rows; after a change at ``onset`` only later rows are reference;
    ``predicted``: the released model's answers to the rows (None: they are not watched);
    ``latest``: where ``rows`` are a sample, the latest of all with PREDICTION_NAME, which tell how
    much rows depend on each other: a sample's stand farther apart;
    ``held_out``: rows with what was answered by a model that had not seen them, of which the share
    of each class is told: on rows that it was trained on, a model chooses too well.
    """
    drift, columns = loop.spec.drift, logged.columns(loop)
    if predicted is not None:
        rows = rows.assign(**{PREDICTION_NAME: predicted})
    recent = _recent(rows, loop)
    when = _when(recent, loop, onset)
    own = [c for c in columns if c.monitored and c.name != CHOSEN]
    features = tuple(_feature(c, recent, when, loop) for c in own)
    chosen = [c for c in columns if c.monitored and c.name == CHOSEN]
    if held_out is not None and chosen:
        unseen = _recent(held_out, loop)
        told = _when(unseen, loop, onset)
        features += tuple(_feature(c, unseen, told, loop) for c in chosen)
    tested = {feature.name for feature in features}
    answers = _predictions(recent, when, loop)
    if latest is not None:
        features, answers = _dependent(features, answers, latest, loop)
    every = (*features, *([answers] if answers else []))
    rules = [f.rule(f.distribution) for f in every if f.distribution]
    seconds, budget = drift.window.min_duration.total_seconds(), drift.false_alarms.per_second
    baseline = Baseline(
        loop=loop.name,
        window_seconds=int(seconds),
        min_rows=drift.window.rows,
        level=level.of_window(budget, seconds, rules),
        features=features,
        unmonitored=tuple((c.name, c.kind) for c in columns if c.name not in tested),
        max_seconds=int(drift.window.max_duration.total_seconds()),
        alarms_per_second=budget,
        predictions=answers,
    )
    return _sample(recent, when, [f.name for f in features], loop, rng), baseline


def _dependent(
    features: tuple[FeatureBaseline, ...],
    answers: FeatureBaseline | None,
    latest: pd.DataFrame,
    loop: LearningLoop,
) -> tuple[tuple[FeatureBaseline, ...], FeatureBaseline | None]:
    """Return the baselines with the design effects of ``latest`` where those are larger."""
    near = latest.sort_values("event_time", kind="stable").reset_index(drop=True)
    when = _when(near, loop, None)
    columns = {c.name: c for c in loop.spec.features.columns}
    found = tuple(
        _with_larger_effects(one, _measured(columns[one.name].kind, near[one.name], when))
        for one in features
    )
    known = _predictions(near, when, loop)
    if answers is None or known is None or known.distribution is None:
        return found, answers
    return found, _with_larger_effects(answers, known.distribution)


def _with_larger_effects(one: FeatureBaseline, other: Distribution) -> FeatureBaseline:
    if one.distribution is None:
        return one
    names = ("design_effect", "missing_design_effect")
    larger = {n: max(getattr(one.distribution, n), getattr(other, n)) for n in names}
    return replace(one, distribution=replace(one.distribution, **larger))


def _recent(rows: pd.DataFrame, loop: LearningLoop) -> pd.DataFrame:
    newest = rows["event_time"].max()
    recent: pd.DataFrame = rows[rows["event_time"] >= newest - loop.spec.drift.reference.days]
    return recent.sort_values("event_time", kind="stable").reset_index(drop=True)


def _when(recent: pd.DataFrame, loop: LearningLoop, onset: datetime | None) -> measure.Rows:
    window = loop.spec.drift.window
    times = recent["event_time"].dt.tz_convert(None).to_numpy("datetime64[us]")
    seconds = times.astype("datetime64[s]").astype(np.int64)
    cells = seconds // int(window.min_duration.total_seconds())
    current = times >= np.datetime64(_naive(onset)) if onset else np.ones(len(times), dtype=bool)
    if not current.any():
        current = ~current
    usual = int(np.median(np.unique(cells, return_counts=True)[1]))
    weekly = loop.spec.drift.reference.seasonality == "weekly"
    weights = _weights(recent)
    return measure.Rows(seconds, weights, cells, current, weekly, max(window.rows, usual))


def _naive(instant: datetime) -> datetime:
    return pd.Timestamp(instant).tz_convert("UTC").tz_localize(None).to_pydatetime()


def _weights(rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    if "weight" not in rows:
        return np.ones(len(rows))
    return rows["weight"].to_numpy(dtype=np.float64)


def _feature(
    column: Column, recent: pd.DataFrame, when: measure.Rows, loop: LearningLoop
) -> FeatureBaseline:
    values = recent[column.name]
    known = _measured(column.kind, values, when)
    return FeatureBaseline(
        name=column.name,
        kind=column.kind,
        threshold=column.min_effect or loop.spec.drift.min_effect,
        max_missing=max(column.max_missing, 2 * float(values.isna().mean())),
        varies=_varies(values, when),
        categories=known.categories,
        low=column.range[0],
        high=column.range[1],
        distribution=known,
    )


def _predictions(
    recent: pd.DataFrame, when: measure.Rows, loop: LearningLoop
) -> FeatureBaseline | None:
    """Return how predictions are cut and how much they depend on each other, not their level.

    On rows that the model was trained on they lie too near to what happened, so the counts are
    left to be learnt from what is served (driftloop_contracts/drift/learned.py).
    """
    policy = loop.spec.drift.predictions
    if PREDICTION_NAME not in recent or not policy.watch:
        return None
    values = recent[PREDICTION_NAME].to_numpy("float64")
    known = measure.numeric(values, when)
    # None is missing here, so how missing ones depend on each other does not show.
    missing = max(CAUTIOUS, known.design_effect)
    nothing = Stratum((0.0,) * known.cells, 0.0, 0.0, 0.0)
    return FeatureBaseline(
        name=PREDICTION_NAME,
        kind="numeric",
        threshold=policy.min_effect or loop.spec.drift.min_effect,
        max_missing=MAX_MISSING,
        varies=_varies(pd.Series(values), when),
        distribution=replace(
            known, strata=(nothing,) * len(known.strata), missing_design_effect=missing
        ),
    )


def _varies(values: pd.Series[Any], when: measure.Rows) -> bool:
    return bool((values.groupby(when.cells).nunique() > 1).mean() > 0.95)


def _measured(kind: str, values: pd.Series[Any], when: measure.Rows) -> Distribution:
    if kind == "categorical":
        texts = [
            None if absent else text(v) for v, absent in zip(values, values.isna(), strict=True)
        ]
        return measure.categorical(texts, when)
    return measure.numeric(values.to_numpy(dtype=np.float64, na_value=np.nan), when)


def _sample(
    recent: pd.DataFrame,
    when: measure.Rows,
    names: list[str],
    loop: LearningLoop,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the columns ``names`` of rows of the present regime, drawn by their weights."""
    places = np.flatnonzero(when.current)
    size = loop.spec.drift.reference.rows
    if len(places) > size:
        share = when.weights[places] / when.weights[places].sum()
        places = np.sort(rng.choice(places, size, replace=bool(np.ptp(share)), p=share))
    sample = recent.loc[places, names].reset_index(drop=True)
    if when.strata > 1:
        sample[WEEKDAY] = distribution.weekday(when.seconds[places])
    return sample
