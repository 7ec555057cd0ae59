"""Representative: whether a training sample is what the traffic is, and in which columns not.

Each column is compared by the tests that watch for drift (driftloop_contracts/drift/evidence.py:
Kolmogorov-Smirnov or chi-square with Berk-Jones, missing values, new categories), on effective
rows, so that sessions and moody days are no evidence. A column differs when a test falls at
``level`` after Holm (1979) over all columns' tests and its effect, Cohen's h, is worth it. A
classifier says whether all columns together tell the two apart (two_sample.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from driftloop.data import two_sample
from driftloop.data.two_sample import Told
from driftloop.evaluation import slices
from driftloop.evaluation.loss import Floats
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop_contracts.category import text
from driftloop_contracts.drift import evidence, measure
from driftloop_contracts.drift.distribution import Distribution
from driftloop_contracts.drift.evidence import Evidence
from driftloop_contracts.drift.tally import Tally
from driftloop_contracts.errors import InvalidInput

EFFECT = 0.1
"""Cohen's h that is worth a finding: a share that goes from 2 to 3.6 %, a mean by 0.13 sd."""
AREA = 0.55
"""Area under the ROC curve that the classifier must surely pass, to say that they differ."""
LEVEL = 0.05
FEWEST = 30
"""Rows of either side without which nothing is compared."""
SEED = 0
LONGEST = 1000


@dataclass(frozen=True)
class Column:
    """What one column shows by its strongest test: values, missing or unseen."""

    name: str
    test: str
    p_value: float
    effect: float
    differs: bool

    @property
    def sentence(self) -> str:
        """Return the column's numbers as a person reads them."""
        what = {"values": "", "missing": " (missing values)", "unseen": " (new categories)"}
        return f"{self.name}{what[self.test]}: h = {self.effect:.2f}, p = {self.p_value:.1g}"


@dataclass(frozen=True, eq=False)
class Representativeness:
    """Which columns of the sample are not what the traffic's are, the strongest first.

    ``joint``: what a classifier tells of all of them, None where it was not asked.
    """

    sample: int
    traffic: int
    columns: tuple[Column, ...]
    joint: Told | None

    @property
    def differing(self) -> tuple[Column, ...]:
        """Return the columns that differ."""
        return tuple(column for column in self.columns if column.differs)

    @property
    def is_representative(self) -> bool:
        """Return whether neither a column nor the classifier says otherwise."""
        return not self.differing and not (self.joint and self.joint.area.low > AREA)

    @property
    def sentence(self) -> str:
        """Return what is known in a few sentences."""
        says = "is like" if self.is_representative else "is not what"
        ends = "the traffic" if self.is_representative else "the traffic is"
        parts = [
            f"The training sample ({self.sample} rows) {says} {ends} ({self.traffic} rows).",
            f"{len(self.differing)} of {len(self.columns)} columns differ"
            + "".join(f"; {one.sentence}" for one in self.differing[:5])
            + ".",
        ]
        if self.joint:
            area = self.joint.area
            parts.append(
                f"A classifier tells them apart with an AUC of {area.estimate:.3f} "
                f"[{area.low:.3f}, {area.high:.3f}]; weighted by importance the sample is worth "
                f"{self.joint.effective:.0f} rows."
            )
        return " ".join(parts)

    def returned(self) -> Returned | None:
        """Return that the loop goes back for other data, where it does."""
        return None if self.is_representative else RULES["unrepresentative"].returned(self.sentence)

    def to_data(self) -> dict[str, Any]:
        """Return the numbers, what follows, and the sentence, as JSON data."""
        return {
            "sample": self.sample,
            "traffic": self.traffic,
            "columns": [asdict(column) for column in self.columns],
            "area": list(self.joint.area) if self.joint else None,
            "effective_rows": self.joint.effective if self.joint else None,
            "is_representative": self.is_representative,
            "sentence": self.sentence,
        }


def compare(
    sample: pd.DataFrame,
    traffic: pd.DataFrame,
    kinds: Mapping[str, str],
    *,
    entity: str | None = None,
    effect: float = EFFECT,
    level: float = LEVEL,
    jointly: bool = True,
    rng: np.random.Generator | None = None,
) -> Representativeness:
    """Return in what the training ``sample`` is not the ``traffic``.

    ``kinds``: numeric or categorical of each column to compare; both frames have them, and
    ``event_time`` and ``weight`` where known; ``entity``: the column whose rows go together (None:
    each row alone). Raise InvalidInput for a missing column or too few rows.
    """
    for frame, where in ((sample, "the training sample"), (traffic, "the traffic")):
        _require(frame, [*kinds, *([entity] if entity else [])], where)
    own, other = (_in_order(frame) for frame in (sample, traffic))
    tests = [one for name in kinds for one in _tests(own, other, name, kinds[name])]
    falls = slices.holm([found.p_value for *_, found in tests], level)
    judged = [(name, test, one, fell) for (name, test, one), fell in zip(tests, falls, strict=True)]
    columns = [
        _strongest(name, [one for one in judged if one[0] == name], effect) for name in kinds
    ]
    ordered = sorted(columns, key=lambda one: (-one.differs, -one.effect))
    draws = rng or np.random.default_rng(SEED)
    joint = _jointly(own, other, list(kinds), entity, draws) if jointly else None
    return Representativeness(len(own), len(other), tuple(ordered), joint)


def importance(found: Representativeness, sample: pd.DataFrame) -> pd.Series[float]:
    """Return what each row of the compared ``sample`` would have to weigh, 1 on average."""
    if found.joint is None:
        raise InvalidInput("jointly", "a comparison of samples", "True for importance weights", 0)
    places = _order(sample)
    values = np.empty(len(sample))
    values[places] = found.joint.importance
    return pd.Series(values, sample.index)


def _strongest(
    name: str, tests: Sequence[tuple[str, str, Evidence, bool]], effect: float
) -> Column:
    told = [
        Column(name, test, one.p_value, one.effect, bool(fell and one.effect >= effect))
        for _, test, one, fell in tests
    ]
    return max(told, key=lambda one: (one.differs, -one.p_value, one.effect))


def _tests(
    own: pd.DataFrame, other: pd.DataFrame, name: str, kind: str
) -> list[tuple[str, str, Evidence]]:
    """Return a column's tests of the traffic against the sample's distribution."""
    usual = _measured(own, name, kind)
    back = _measured(other, name, kind)
    # Of both sides' dependence the larger: either alone may have been sampled row by row.
    spread = max(usual.design_effect, back.design_effect)
    gaps = max(usual.missing_design_effect, back.missing_design_effect)
    tally = _tally(other, name, kind, usual)
    missing = _missing(tally, gaps)
    found = [(name, "missing", missing)]
    if kind == "numeric":
        return [(name, "values", evidence.of_numbers(tally, spread)), *found]
    values = (name, "values", evidence.of_categories(tally, spread))
    return [values, *found, (name, "unseen", evidence.of_unseen(tally, spread))]


def _missing(tally: Tally, gaps: float) -> Evidence:
    """Return the evidence that more or fewer are missing: of a sample, either is a difference."""
    n = tally.weight**2 / max(tally.square, 1e-300) / gaps
    share = tally.missing / max(tally.weight, 1e-300)
    more = evidence.of_missing(tally, gaps)
    fewer = evidence.of_excess(1 - share, n, 1 - tally.expected_missing, tally.reference / gaps)
    least = min(more, fewer, key=lambda one: one.p_value)
    return replace(least, p_value=min(1.0, 2 * least.p_value))


def _measured(frame: pd.DataFrame, name: str, kind: str) -> Distribution:
    seconds = _seconds(frame)
    cells = np.arange(len(frame)) * 16 // len(frame)
    always = np.ones(len(frame), dtype=bool)
    rows = measure.Rows(seconds, _weights(frame), cells, always, False, LONGEST)
    values = _values(frame[name], kind)
    return measure.numeric(values, rows) if kind == "numeric" else measure.categorical(values, rows)


def _tally(frame: pd.DataFrame, name: str, kind: str, usual: Distribution) -> Tally:
    values, weights = _values(frame[name], kind), _weights(frame)
    absent = (
        np.array([v is None for v in values]) if kind == "categorical" else ~np.isfinite(values)
    )
    present = ~absent
    codes = usual.codes([v for v in values if v is not None] if kind == "categorical"
                        else values[present])  # fmt: skip
    counts = np.bincount(codes, weights[present], minlength=usual.cells)
    known = usual.expect([float(weights.sum())])
    return Tally(
        tuple(counts.tolist()),
        float(weights[absent].sum()),
        len(frame),
        float(weights.sum()),
        float((weights**2).sum()),
        known.shares,
        known.missing,
        known.rows,
    )


def _values(values: pd.Series[Any], kind: str) -> Any:
    if kind == "numeric":
        return pd.to_numeric(values, errors="coerce").to_numpy("float64", na_value=np.nan)
    gone = values.isna()
    return np.array(
        [None if g else text(v) for v, g in zip(values, gone, strict=True)], dtype=object
    )


def _jointly(
    own: pd.DataFrame,
    other: pd.DataFrame,
    names: list[str],
    entity: str | None,
    rng: np.random.Generator,
) -> Told:
    weights = np.concatenate([_weights(own), _weights(other)])
    if entity is None:
        groups = pd.Series(np.arange(len(weights)))
    else:
        groups = pd.concat([own[entity], other[entity]], ignore_index=True)
    return two_sample.tell(own[names], other[names], groups, weights, rng)


def _require(frame: pd.DataFrame, names: Sequence[str], where: str) -> None:
    for name in names:
        if name not in frame:
            raise InvalidInput(f"column '{name}'", where, "present", list(frame.columns))
    if len(frame) < FEWEST:
        raise InvalidInput("rows", where, f"at least {FEWEST}", len(frame))


def _order(frame: pd.DataFrame) -> Any:
    if "event_time" not in frame:
        return np.arange(len(frame))
    return np.argsort(frame["event_time"].to_numpy(), kind="stable")


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    ordered: pd.DataFrame = frame.iloc[_order(frame)]
    return ordered.reset_index(drop=True)


def _seconds(frame: pd.DataFrame) -> Any:
    if "event_time" not in frame:
        return np.arange(len(frame))
    return frame["event_time"].astype("datetime64[s, UTC]").astype("int64").to_numpy()


def _weights(frame: pd.DataFrame) -> Floats:
    if "weight" not in frame:
        return np.ones(len(frame))
    return frame["weight"].to_numpy("float64")
