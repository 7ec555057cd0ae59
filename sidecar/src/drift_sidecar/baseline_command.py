"""The command ``python -m drift_sidecar baseline``: rows in, a bundle in the store out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from drift_sidecar import bundling, reference_rows
from drift_sidecar.bundling import Rule
from drift_sidecar.settings import checked_name
from driftloop_contracts import bundle, signature
from driftloop_contracts.baseline import Baseline
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import open_store

WHERE = "the command"


def main(arguments: Sequence[str], environ: Mapping[str, str], now: datetime) -> int:
    """Make the bundle, print what is in it and return the exit code."""
    told = _parser().parse_args(arguments)
    store = told.store or environ.get("DRIFTLOOP_STORE", "")
    if not store:
        allowed = "given, or set in the environment as DRIFTLOOP_STORE"
        raise InvalidInput("--store", WHERE, allowed, store)
    loop = checked_name(told.loop or environ.get("DRIFTLOOP_LOOP", ""), "--loop", WHERE)
    version = checked_name(told.version, "--version", WHERE)
    rule = Rule(
        told.window_seconds,
        told.min_rows,
        told.days_per_alarm,
        told.min_effect,
        told.max_missing,
        told.weekly,
    )
    features, categorical = _names(told.features), _names(told.categorical)
    rows = reference_rows.read(Path(told.rows), told.time, features, categorical)
    known = bundling.baseline(rows, loop, rule)
    drawn = bundling.sample(rows, known, np.random.default_rng(bundling.SEED))
    end, signing_key = bundling.data_end(rows, now), environ.get(signature.SIGNING_KEY, "")
    bundling.put(open_store(store, environ), version, known, drawn, end, signing_key)
    sys.stdout.write(json.dumps(summary(version, len(rows), known)) + "\n")
    return 0


def summary(version: str, rows: int, known: Baseline) -> dict[str, Any]:
    """Return what was made, for a person: where it lies and what it takes each feature for."""
    features = {
        feature.name: {
            "kind": feature.kind,
            "varies": feature.varies,
            "design_effect": round(feature.distribution.design_effect, 2),
        }
        for feature in known.features
        if feature.distribution
    }
    lies = bundle.key(known.loop, version)
    return {"bundle": lies, "rows": rows, "level": known.level, "features": features}


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _parser() -> argparse.ArgumentParser:
    usual = Rule()
    parser = argparse.ArgumentParser(
        "drift_sidecar baseline", description="Make a bundle for a model from elsewhere."
    )
    parser.add_argument("rows", help="parquet file of what the model was asked in a quiet period")
    parser.add_argument("--version", required=True, help="name of the bundle, DRIFTLOOP_BUNDLE")
    parser.add_argument("--store", default="", help="object store (DRIFTLOOP_STORE)")
    parser.add_argument("--loop", default="", help="name of the loop (DRIFTLOOP_LOOP)")
    parser.add_argument("--time", default="", help="column with the time of each row")
    parser.add_argument("--features", default="", help="columns, with commas (all but the time)")
    parser.add_argument("--categorical", default="", help="columns whose numbers are names")
    parser.add_argument("--window-seconds", type=int, default=usual.window_seconds)
    parser.add_argument("--min-rows", type=int, default=usual.min_rows, help="of a window")
    parser.add_argument("--days-per-alarm", type=float, default=usual.days_per_alarm)
    parser.add_argument("--min-effect", type=float, default=usual.min_effect, help="Cohen's h")
    parser.add_argument("--max-missing", type=float, default=usual.max_missing, help="a share")
    parser.add_argument("--weekly", action="store_true", help="compare weekdays with weekdays")
    return parser
