"""Routing requests: how well on real texts, how far without labels, and how fast it answers.

    python benchmarks/routing.py quality DATA     real texts, all labels; held out by time
    python benchmarks/routing.py labels DATA      rules of thumb, and 1,000 reviewed, then all
    python benchmarks/routing.py serving DATA [--seconds 10] [--replicas 2]

DATA holds it_tickets_47k and bitext_customer_support. Times are those of a schedule that a seed
draws (usecases/support_routing/tickets.py); the last fifth is held out. Macro-F1 of a source is the
mean over the departments that it has requests for. Intervals are of 95 %, of requests drawn again.

Prints tables and last one JSON line with its bars.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import callers
import numpy as np
import pandas as pd
import psutil

from driftloop import usecase
from driftloop.adapters.feast_repository import FeatureRepository
from driftloop.archive import Archive
from driftloop.evaluation import difference
from driftloop.labels import functions, label_model, review_queue
from driftloop.labels.classes import codes
from driftloop.laptop import environment
from driftloop.laptop.children import Child
from driftloop.training import steps
from driftloop.training.text import HashedText
from driftloop.usecase import Span, UseCase
from driftloop_contracts import times
from driftloop_contracts.object_store import FileStore

ROOT = Path(__file__).parents[1]
NAME = "support-routing"
PATH = f"/v1/models/{NAME}:predict"
RESAMPLES = 500
REVIEWED, BY_CHANCE = 1000, 0.25
TRUSTED = 2.0
"""How many weak labels a reviewed one is worth in training."""
DESK = "service_desk"
SERVED_DAYS = 20
"""Days of real texts that the served model has learnt from."""


def bar(name: str, value: float, unit: str, target: str, met: bool) -> dict[str, Any]:
    """Return one bar as every benchmark prints it."""
    print(f"{name:<52} {value:>12.5g} {unit:<8} {target:<28} {'met' if met else 'MISSED'}")
    return {"name": name, "value": value, "unit": unit, "target": target, "met": bool(met)}


@dataclass(frozen=True)
class Texts:
    """The real requests with their department, in order of time; ``late``: the held-out ones."""

    case: UseCase
    early: pd.DataFrame
    late: pd.DataFrame


def texts(data: str) -> Texts:
    """Return the real requests."""
    case = usecase.find("support_routing", {usecase.FOLDER_VARIABLE: str(ROOT / "usecases")})
    traffic = case.read(Span(data=Path(data)))
    for note in traffic.notes:
        print(note)
    known = traffic.outcomes.set_index("row_id")["category"]
    rows = traffic.requests.assign(category=traffic.requests["row_id"].map(known))
    cut = int(len(rows) * 0.8)
    late = rows.iloc[cut:].reset_index(drop=True)
    print(f"{cut:,} rows to learn from; {len(late):,} are held out, the latest")
    return Texts(case, rows.iloc[:cut], late)


def fitted(rows: pd.DataFrame, labels: Any, weight: Any = None) -> HashedText:
    """Return the stock estimator on texts alone: these requesters ask once."""
    return HashedText(("message",)).fit(rows, labels, weight)


@dataclass(frozen=True)
class Score:
    """Macro-F1 and accuracy between bounds, F1 by department, and the confusion [true, chosen]."""

    macro: Any
    accuracy: Any
    each: dict[str, float]
    confusion: pd.DataFrame


def score(rows: pd.DataFrame, chosen: Any, classes: tuple[str, ...]) -> Score:
    """Return how well ``chosen`` departments are those of ``rows``."""
    size, asked = len(classes), [name for name in classes if (rows["category"] == name).any()]
    own = [classes.index(name) for name in asked]
    cells = codes(rows["category"], classes, "rows") * size + codes(chosen, classes, "answers")
    columns = {str(cell): (cells == cell).astype("float64") for cell in range(size * size)}
    rng = np.random.default_rng(0)
    drawn = difference.resample(columns, rows["requester_id"], RESAMPLES, rng).sums
    matrix = drawn.reshape(-1, size, size)
    right = np.diagonal(matrix, axis1=1, axis2=2)
    f1 = 2 * right / np.maximum(matrix.sum(axis=1) + matrix.sum(axis=2), 1)
    shares = right.sum(axis=1) / matrix.sum(axis=(1, 2))
    confusion = pd.DataFrame(matrix[0], classes, classes).astype(int).loc[asked]
    each = {name: float(f1[0, place]) for name, place in zip(asked, own, strict=True)}
    return Score(_bounds(f1[:, own].mean(axis=1)), _bounds(shares), each, confusion)


def _bounds(values: Any) -> tuple[float, float, float]:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(low), float(values[0]), float(high)


def told(bounds: tuple[float, float, float]) -> str:
    """Return a value between its bounds.

    >>> told((0.1, 0.2, 0.3))
    '0.200 [0.100, 0.300]'
    """
    low, value, high = bounds
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def by_source(found: Texts, chosen: Any) -> dict[str, Score]:
    """Return the score of each source's held-out requests."""
    classes, sources = found.case.loop.spec.objective.classes, found.late["source"]
    return {
        str(name): score(found.late[sources == name], chosen[(sources == name).to_numpy()], classes)
        for name in sorted(sources.unique(), reverse=True)
    }


def show(what: str, scores: dict[str, Score]) -> None:
    """Print one line a source."""
    for source, one in scores.items():
        each = "  ".join(f"{name} {value:.3f}" for name, value in one.each.items())
        both = f"macro-F1 {told(one.macro)}  accuracy {told(one.accuracy)}"
        print(f"{what:<28} {source:<13} {both}  {each}")


def quality(data: str) -> list[dict[str, Any]]:
    """Learn from all labels; say how well it routes and what the costs leave to a person."""
    found = texts(data)
    began = time.process_time()
    model = fitted(found.early, found.early["category"].to_numpy(object))
    print(f"fitted in {time.process_time() - began:.0f} s of CPU")
    chances = model.predict_proba(found.late)
    scores = by_source(found, model.classes_[chances.argmax(axis=1)])
    show("all labels", scores)
    for source, one in scores.items():
        print(f"\n{source}: rows are true, columns chosen\n{one.confusion.to_string()}")
    _deciding(found, chances, model.classes_)
    _length_alone(found)
    low, value, _ = scores[DESK].macro
    return [
        bar("service desk, macro-F1", value, "", ">= 0.89", value >= 0.89),
        bar("service desk, macro-F1, lower bound", low, "", "told", True),
    ]


def _deciding(found: Texts, chances: Any, classes: Any) -> None:
    costs = found.case.loop.spec.charter.costs
    assert costs is not None
    right = classes[chances.argmax(axis=1)] == found.late["category"].to_numpy(object)
    given = costs.decided(chances.max(axis=1))
    spent = costs.wrong_answer * (given & ~right).sum() + costs.person * (~given).sum()
    never, always = costs.person, costs.wrong_answer * (~right).mean()
    print(
        f"\nabove {costs.threshold:.0%} confidence: {given.mean():.1%} answered, of which "
        f"{right[given].mean():.1%} right; {spent / len(right):.2f} {costs.unit} a request, by "
        f"hand {never:.2f}, always answering {always:.2f}"
    )


def _length_alone(found: Texts) -> None:
    """Say what the style that is left, the length, would tell of the department."""

    def lengths(rows: pd.DataFrame) -> Any:
        return rows["message"].str.split().str.len().clip(upper=12).astype(str).to_frame("message")

    model = fitted(lengths(found.early), found.early["category"].to_numpy(object))
    show("number of words alone", by_source(found, model.predict(lengths(found.late))))


def labels(data: str) -> list[dict[str, Any]]:
    """Learn from rules of thumb alone, from these and 1,000 reviewed texts, and from all labels."""
    found, rng = texts(data), np.random.default_rng(1)
    classes, early = found.case.loop.spec.objective.classes, found.early
    truth = codes(early["category"], classes, "the texts")
    votes = functions.cast(found.case.labelling_functions(), early, classes)
    weak = label_model.fit(votes)
    right = (weak.labels == truth)[weak.covered].mean()
    print(
        f"{weak.covered.mean():.1%} of the texts have a vote; {right:.1%} of their labels are right"
    )
    table = {"rules, no model": by_source(found, _ruled(found, classes))}
    first = _learnt(early, weak)
    table["weak labels"] = by_source(found, first.predict(found.late))
    queue = review_queue.choose(first.predict_proba(early), REVIEWED, BY_CHANCE, rng)["position"]
    seen = np.zeros(len(early), bool)
    seen[queue] = True
    names = early["category"].to_numpy(object)
    only = fitted(early[seen], names[seen])
    table["1,000 reviewed alone"] = by_source(found, only.predict(found.late))
    both = _agreed(early, weak, seen, only)
    table["weak and 1,000 reviewed"] = by_source(found, both.predict(found.late))
    every = fitted(early, early["category"].to_numpy(object))
    table["all labels"] = by_source(found, every.predict(found.late))
    for what, scores in table.items():
        show(what, scores)
    steps_up = [table[name][DESK].macro[1] for name in ("weak labels", "weak and 1,000 reviewed")]
    alone = table["1,000 reviewed alone"][DESK].macro[1]
    return [
        bar("service desk, weak labels", steps_up[0], "macro-F1", "told", True),
        bar("service desk, weak and 1,000 reviewed", steps_up[1], "macro-F1",
            "> either alone", steps_up[1] > max(steps_up[0], alone)),
    ]  # fmt: skip


def _ruled(found: Texts, classes: tuple[str, ...]) -> Any:
    votes = functions.cast(found.case.labelling_functions(), found.late, classes)
    return np.array(classes, object)[label_model.fit(votes).labels]


def _learnt(rows: pd.DataFrame, weak: Any) -> HashedText:
    """Return a model of the rows with a vote, by the label model's word."""
    kept, names = weak.covered, np.array(weak.classes, object)[weak.labels]
    return fitted(rows[kept], names[kept], weak.probabilities.max(axis=1)[kept])


def _agreed(rows: pd.DataFrame, weak: Any, seen: Any, model: HashedText) -> HashedText:
    """Return a model of the reviewed rows, and of the weak labels that a model of these agrees to.

    ``seen``: which rows were reviewed; ``model``: of these alone.
    """
    names = np.array(weak.classes, object)[weak.labels]
    kept = seen | (weak.covered & (model.predict(rows) == names))
    names[seen] = rows["category"].to_numpy(object)[seen]
    return fitted(rows[kept], names[kept], np.where(seen, TRUSTED, 1.0)[kept])


class World:
    """A store with one bundle, trained by the pipeline's steps on some days of real texts."""

    def __init__(self, folder: Path, data: str) -> None:
        self.folder, self.rows = folder, texts(data).early
        self.case = usecase.find("support_routing")
        store = FileStore(folder / "store")
        end = self.rows["event_time"].min().ceil("D") + pd.Timedelta(days=SERVED_DAYS)
        learnt = self.rows[self.rows["event_time"] < end]
        archive = Archive(store, NAME)
        asked = learnt.drop(columns=["category"]).rename(columns={"row_id": "prediction_id"})
        closed = learnt["event_time"] + pd.Timedelta(hours=6)
        reports = asked[["prediction_id", "event_time"]].assign(
            label="department",
            value=1.0,
            category=learnt["category"],
            known_time=closed,
            revision=0,
        )
        for day, part in asked.groupby(asked["event_time"].dt.floor("D")):
            archive.put("requests", f"{day:%Y-%m-%d}", part)
        for day, part in reports.groupby(reports["known_time"].dt.ceil("D")):
            archive.put("outcomes", f"{day:%Y-%m-%d}", part)
        for view, rows in self.case.compute_features(learnt, end).items():
            archive.put_features(view, end, rows)
        order = json.dumps(
            {"number": 1, "cutoff": times.to_text(end.to_pydatetime()), "cause": "manual"}
        )
        self.version = self._trained(store.uri, order)
        repository = FeatureRepository(self.case, folder / "feast")
        repository.apply(archive.feature_folder(folder))
        repository.materialize(None, end.to_pydatetime())
        self.environ = environment.for_children(self.case, store.uri, os.environ)

    def _trained(self, store: str, order: str) -> str:
        names = ("rows", "valid", "joined", "scored", "model", "new")
        at = {name: str(self.folder / name) for name in names}
        steps.ingest(NAME, store, order, at["rows"])
        steps.validate(NAME, store, order, at["rows"], at["valid"])
        steps.build_features(NAME, store, order, at["valid"], at["joined"])
        facts = steps.train(NAME, order, at["joined"], at["model"], at["new"])
        models = {"candidate": at["model"], "release": at["new"]}
        facts |= steps.evaluate(NAME, store, order, at["joined"], models, facts, at["scored"])
        paths = {"joined": at["joined"], "release": at["new"], "scored": at["scored"]}
        return str(steps.package(NAME, store, order, paths, facts)["version"])

    @contextmanager
    def predictors(self, count: int) -> Iterator[list[Child]]:
        """Start so many predictors as a Deployment would."""
        found = []
        try:
            for number in range(count):
                environ = self.environ | {
                    "DRIFTLOOP_FEAST": str(self.folder / "feast"),
                    "DRIFTLOOP_SCRATCH": tempfile.mkdtemp(dir=self.folder),
                    "DRIFTLOOP_BUNDLE": self.version,
                    "DRIFTLOOP_SIDECAR": "",
                }
                command = [sys.executable, "-m", "driftloop.services.predictor"]
                log = self.folder / f"predictor-{number}.log"
                found.append(Child("predictor", command, environ, log))
            yield found
        finally:
            for child in found:
                child.stop()


def serving(data: str, seconds: float, replicas: int) -> list[dict[str, Any]]:
    """Ask for one real text a request, as fast as a few connections a replica carry."""
    os.environ.setdefault(usecase.FOLDER_VARIABLE, str(ROOT / "usecases"))
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name), data)
        columns = ["requester_id", "message", "source"]
        bodies = [
            json.dumps({"instances": [row]})
            for row in world.rows[columns].tail(4000).to_dict("records")
        ]
        with world.predictors(replicas) as children:
            addresses = [child.wait_ready(120) for child in children]
            callers.load(addresses, bodies, 2.0, PATH)
            before = [_cpu(child) for child in children]
            took, spent = callers.load(addresses, bodies, seconds, PATH)
            used = sum(_cpu(child) - one for child, one in zip(children, before, strict=True))
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    rate, each = len(took) / spent, used / len(took) * 1000
    print(
        f"{len(took):,} requests of one text in {spent:.1f} s from {replicas} predictor processes"
    )
    return [
        bar("single requests answered", rate, "req/s", ">= 500 on 2 cores", rate >= 500),
        bar("p50", p50, "ms", "told", True),
        bar("p99", p99, "ms", "told", True),
        bar(
            "CPU of the predictors a request", each, "ms", "<= 4 (500 a second, 2 cores)", each <= 4
        ),
    ]


def _cpu(child: Child) -> float:
    used = psutil.Process(child.process.pid).cpu_times()
    return used.user + used.system


def main() -> None:
    """Run one of the three and print its bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["quality", "labels", "serving"])
    parser.add_argument("data")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--replicas", type=int, default=2)
    given = parser.parse_args()
    if given.what == "serving":
        bars = serving(given.data, given.seconds, given.replicas)
    else:
        bars = {"quality": quality, "labels": labels}[given.what](given.data)
    print(json.dumps({"benchmark": f"routing/{given.what}", "bars": bars}))


if __name__ == "__main__":
    main()
