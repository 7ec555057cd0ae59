"""Findings: what the platform's cores say of the story's rows, stage by stage."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from driftloop.business import accounts, policy, promise
from driftloop.business import review as reviews
from driftloop.business.accounts import Period
from driftloop.business.promise import Promise
from driftloop.data import representative, staleness
from driftloop.evaluation import difference, gate, imbalance, loss
from driftloop.evaluation.difference import Interval
from driftloop.labels import audit, correction, errors, out_of_fold
from driftloop.scoping import rule as rules
from driftloop.scoping import verdict
from driftloop.scoping.verdict import Evidence
from driftloop.spec.business import judged_column
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop.story.finding import Finding, Settled
from driftloop.training import fit
from driftloop.usecase import UseCase
from usecases.ads_ctr.market import CANDIDATES, FIRST_DAY
from usecases.ads_ctr.showcase import EXPLORED

ENTITY = "query_id"
CLASSES = ("no", "yes")
LOOKED_AT = 40
"""Suspect labels that a careful person looks at, and as many drawn at random from the others."""
MODEL = {
    "": "The model has learnt something",
    "label_errors": "Error analysis: the labels",
    "few_positives": "Error analysis: it says no to everything",
}
"""What error analysis is called by what it finds first."""
PARAMETERS = 44
"""Coefficients of the linear model: three numbers, and each category, campaign, format, device."""
DAY = pd.Timedelta(days=1)


def scoping(case: UseCase, pilot: pd.DataFrame, rng: np.random.Generator) -> Settled:
    """Say whether the problem is one for ML, by a pilot of labelled rows."""
    spec, columns = case.loop.spec, case.loop.spec.features.names()
    side = difference.halves(pilot[ENTITY], rng)
    early, late = pilot[side == 0], pilot[side == 1].reset_index(drop=True)
    best = rules.judged(early, late, columns)[0]
    model = fit.fit(case, spec.training.estimators[0], early)
    own = loss.log_loss(fit.predict(case, model, late), late["positives"], late["weight"])
    drawn = difference.resample({"ml": own, "rule": best.losses}, late[ENTITY], 500, rng)
    worse = drawn.relative("ml", "rule").interval(0.95)
    gain = Interval(-worse.high, -worse.estimate, -worse.low)
    evidence = Evidence(
        wish=spec.scoping.wish,
        claimed=spec.scoping.bottleneck.step,
        input=spec.scoping.input,
        output=spec.scoping.output,
        objective=spec.objective.name,
        labels=len(pilot),
        least_labels=spec.training.min_rows,
        positives=float(pilot["positives"].sum()),
        negatives=float((pilot["weight"] - pilot["positives"]).sum()),
        rule=best.rule.name,
        rule_loss=Interval(best.loss, best.loss, best.loss),
        gain=gain,
    )
    said = verdict.verdict(evidence)
    target = f"{spec.business.target:g} {spec.objective.kpi.unit}, what it earned before"
    figures = (("objective", spec.objective.name), ("target", target), ("verdict", said.kind))
    title = f"The objective is {_called(case)}"
    finding = Finding(title, said.reasons, figures, said.returned, is_last=said.kind != "ML")
    return Settled(finding, said.condition != "gain unknown")


def _called(case: UseCase) -> str:
    name = case.loop.spec.objective.name
    return {"impressions": "as many impressions as possible", "ctr": "the click-through rate"}[name]


def data(case: UseCase, rows: pd.DataFrame, today: int) -> Finding:
    """Say what there is to learn from."""
    positives = int((rows["positives"] > 0).sum())
    share = float(rows["positives"].sum() / rows["weight"].sum())
    first, last = rows["event_time"].min(), rows["event_time"].max()
    label = case.loop.spec.objective.label
    span = f"from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    sentences = [f"{len(rows):,} rows {span} with the label {label}, {positives:,} positive."]
    if "source" in rows:
        vendors = rows[rows["source"] == "vendor"]
        own = rows.drop(vendors.index)
        sentences.append(
            f"The vendor labelled {len(vendors):,} rows, {vendors['positives'].sum():.0f} of them "
            f"positive; careful people {len(own):,}, {own['positives'].sum():.0f} positive."
        )
    age = (FIRST_DAY + today * DAY - last) / DAY
    figures = (("share of positives", f"{share:.4%}"), ("newest row", f"{age:.0f} days old"))
    return Finding("Data and labels", tuple(sentences), figures)


def by_query(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the rows of four queries in five, and of the others the older ones and the newest.

    The newest are of the last seven days.
    """
    held = rows[ENTITY] % 5 == 0
    newest = rows["event_time"] >= rows["event_time"].max() - 7 * DAY
    parts = (rows[~held], rows[held & ~newest], rows[held & newest])
    return tuple(part.reset_index(drop=True) for part in parts)  # type: ignore[return-value]


def model(
    case: UseCase,
    fitted: Any,
    rows: pd.DataFrame,
    tests: pd.DataFrame,
    rng: np.random.Generator,
    by_people: pd.DataFrame | None,
) -> Finding:
    """Look at the errors of a model; ``by_people``: the rows whose labels a person gave."""
    scored = tests.assign(probability=fit.predict(case, fitted, tests))
    rare = imbalance.says_no_to_everything(
        scored, ENTITY, known=float((rows["positives"] > 0).sum()), parameters=PARAMETERS
    )
    precision = f"{rare.average_precision:.2f}" if rare.average_precision is not None else "unknown"
    figures = (
        ("average precision", f"{precision} on older test rows"),
        ("loss against a constant's", f"{rare.loss.estimate:+.0%}"),
        ("accuracy", f"{rare.accuracy:.3%}, of always saying no {rare.accuracy_of_no:.3%}"),
    )
    wrong, said = None, ()
    if by_people is not None:
        wrong, said = _wrong_labels(case, by_people, tests, rng)
    found = tuple(back for back in (wrong, rare.returned()) if back)
    sentences = (*said, rare.sentence) if len(found) != 1 or not wrong else said
    first = found[0] if found else None
    return Finding(MODEL[first.rule if first else ""], sentences, figures, first, "", found[1:])


def _wrong_labels(
    case: UseCase, rows: pd.DataFrame, tests: pd.DataFrame, rng: np.random.Generator
) -> tuple[Returned | None, tuple[str, ...]]:
    """Have a person look at positives that the model doubts, and at others by chance."""
    labels, name = rows["positives"].to_numpy("int64"), case.loop.spec.training.estimators[0]

    def predicted(known: Any, asked: Any) -> Any:
        return fit.predict(case, fit.fit(case, name, rows.iloc[known]), rows.iloc[asked])

    def losses(known: Any, given: Any) -> Any:
        fixed = rows.iloc[known].assign(positives=given.astype("float64"))
        p = fit.predict(case, fit.fit(case, name, fixed), tests)
        return loss.log_loss(p, tests["positives"], tests["weight"])

    p = out_of_fold.probabilities(predicted, labels, rng, folds=3, entities=rows[ENTITY])
    found = errors.find(labels, p, CLASSES, decidable=True)
    doubted = found.order[labels[found.order] == 1]
    suspect, rest = doubted[:LOOKED_AT], doubted[LOOKED_AT:]
    drawn = rng.choice(rest, min(LOOKED_AT, len(rest)), replace=False)
    seen = np.concatenate([suspect, drawn])
    truth = rows["truth"].to_numpy("int64")
    wrong = truth[seen] != labels[seen]
    rate = audit.rate(wrong, np.arange(len(seen)) >= len(suspect), len(doubted))
    how = f"a careful look at {len(seen)} of the positive ones"
    allowed = case.loop.spec.data.labelling.max_errors
    back = errors.judge(rate, allowed, len(doubted), how)
    if not back:
        return None, ()
    count = round(rate.estimate * len(doubted))
    zeros = np.zeros_like(labels)
    (effect,) = correction.effects(
        losses, labels, doubted, zeros, [count], rng, entities=tests[ENTITY]
    )
    source = rows["source"].iloc[seen[wrong]].mode()[0]
    said = (
        f"The largest errors are positives that the model doubts. Of {len(seen)} that a careful "
        f"person looked at {wrong.sum()} are wrong, most of them labelled by the {source}."
    )
    return back, (said, effect.sentence())


def deployment(
    case: UseCase,
    fitted: Any,
    parts: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    now: datetime,
    rng: np.random.Generator,
) -> Finding:
    """Try the model on the newest rows before it is released, and ask the gate.

    ``parts``: the rows it learnt from, older test rows and the newest.
    """
    learnt, old, newest = parts
    both = pd.concat([old, newest], ignore_index=True)
    both["probability"] = fit.predict(case, fitted, both)
    since = newest["event_time"].min().to_pydatetime()
    aged = staleness.compare(both, since, ENTITY, rng=rng)
    figures = (
        ("worth on older test rows", f"{1 - aged.old.normalized.estimate:.0%} of the entropy"),
        ("worth on the newest rows", f"{1 - aged.new.normalized.estimate:.0%} of the entropy"),
    )
    calendar = staleness.age(learnt["event_time"], now, case.loop.spec.retrain.max_age)
    judged = _gate(case, both, rng)
    refused = RULES["gate_refused"].returned(" ".join(judged.reasons))
    backs = (aged.returned(), calendar.returned(), _unless(refused, judged.verdict == gate.PROMOTE))
    found = tuple(back for back in backs if back)
    title = DEPLOYMENT[found[0].rule if found else ""]
    sentences = (aged.sentence,) if aged.is_stale else (aged.sentence, *judged.reasons)
    return Finding(title, sentences, figures, found[0] if found else None, "", found[1:])


DEPLOYMENT = {
    "": "Released",
    "stale_data": "It serves well on old test data, and fails on the newest",
    "gate_refused": "The gate refuses it",
}


def _unless(back: Returned, is_sound: bool) -> Returned | None:
    return None if is_sound else back


def _gate(case: UseCase, scored: pd.DataFrame, rng: np.random.Generator) -> gate.Verdict:
    """Ask the gate whether a first model is sound."""
    rate = float(scored["positives"].sum() / scored["weight"].sum())
    told = {
        f"{name}_loss": loss.log_loss(p, scored["positives"], scored["weight"])
        for name, p in (
            ("candidate", scored["probability"]),
            ("release", scored["probability"]),
            ("trivial", np.full(len(scored), rate)),
        )
    }
    columns = tuple(case.loop.spec.features.names())
    evidence = gate.Evidence(scored.assign(**told), columns)
    return gate.judge(evidence, case.loop.spec.gate, "initial", rng)


def monitoring(
    case: UseCase, served: pd.DataFrame, traffic: pd.DataFrame, before: Period
) -> Finding:
    """Say what the first period brought, and whether the searches are those of ``traffic``."""
    columns = case.loop.spec.features.columns
    kinds = {column.name: column.kind for column in columns}
    # Of each search its best match: which ads are looked up is no choice of a model.
    before_now = (rows.iloc[::CANDIDATES] for rows in (traffic, served))
    moved = representative.compare(*before_now, kinds, entity=ENTITY, jointly=False)
    drift = RULES["data_drift"].returned(moved.sentence) if moved.differing else None
    shown = served["shown"].sum() / served["chosen"].sum()
    earlier = before.positives / before.rows
    clicks = served["clicked"].sum() / served["shown"].sum()
    said = (
        f"Of 1,000 searches {1000 * shown:.0f} now lead to an impression, {1000 * earlier:.0f} did "
        f"before; {clicks:.1%} of the impressions are clicked."
    )
    alike = f"The searches are what they were: none of {len(kinds)} columns differs."
    return Finding("In service", (said, moved.sentence if drift else alike), (), drift)


def accounts_of(case: UseCase, served: pd.DataFrame, rng: np.random.Generator) -> Period:
    """Return the accounts of all that was served, as one period."""
    start = served["event_time"].min().floor("D")
    length = served["event_time"].max().ceil("D") - start
    whole = case.loop.spec.business.model_copy(update={"period": length.to_pytimedelta()})
    rows = _chosen(served).assign(positives=lambda f: f["shown"])
    return accounts.periods(rows, case.loop.spec.objective, whole, rng, entity=ENTITY)[0]


def _chosen(served: pd.DataFrame) -> pd.DataFrame:
    return served[served["chosen"]].reset_index(drop=True)


def business(
    case: UseCase,
    served: pd.DataFrame,
    alternative: str,
    known: Any,
    rng: np.random.Generator,
) -> Settled:
    """Review what was earned; ``known``: the alternative's model, where there is one."""
    spec = case.loop.spec
    label = "shown" if spec.objective.name == "impressions" else "clicked"
    told = _with_alternative(case, served, alternative, known)
    rows = _chosen(told).assign(positives=lambda f: f[label])
    start = rows["event_time"].min().floor("D").to_pydatetime()
    periods = accounts.periods(
        rows, spec.objective, spec.business, rng, entity=ENTITY, anchor=start
    )
    promises = [_promises(case, rows, one, rng) for one in periods]
    decision = reviews.review(periods, promises, spec.objective, spec.business)
    assert decision is not None
    figures = tuple(
        (f"revenue in period {one.number}", reviews.told(one.kpi, 0.025)) for one in periods
    )
    title = f"The review says: {decision.said}"
    told = decision.to_data(spec.business)
    finding = Finding(
        title, decision.reasons, figures, decision.returned, decision.decision, (), told
    )
    enough = len(periods) >= spec.business.reviews
    return Settled(finding, enough and not decision.watch)


def _promises(
    case: UseCase, rows: pd.DataFrame, period: Period, rng: np.random.Generator
) -> list[Promise]:
    times = rows["event_time"]
    mine = rows[(times >= period.start) & (times < period.end)]
    return promise.of_rows(mine, case.loop.spec.business, rng, entity=ENTITY)


def _with_alternative(
    case: UseCase, served: pd.DataFrame, alternative: str, known: Any
) -> pd.DataFrame:
    """Return what was served with how probably each objective's policy chooses each candidate."""
    scores = fit.predict(case, known, served) if known else _cross_fitted(case, served)
    chances = policy.epsilon_greedy(scores.reshape(-1, CANDIDATES), EXPLORED)
    column = judged_column(alternative)
    return served.assign(propensity=served["probability"], **{column: chances.reshape(-1)})


def _cross_fitted(case: UseCase, served: pd.DataFrame) -> Any:
    """Return the click probability of each row, by a model that saw no row of its query."""
    name, half = case.loop.spec.training.estimators[0], served[ENTITY] % 2
    found = np.empty(len(served))
    for side in (0, 1):
        seen = served[(half != side) & served["chosen"]]
        fitted = fit.fit(_plain(case), name, seen.assign(positives=seen["clicked"]))
        found[half == side] = fit.predict(case, fitted, served[half == side])
    return found


def _plain(case: UseCase) -> UseCase:
    """Return the case without its sampling of rows, which is of another objective."""
    spec = case.loop.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return case.declared(spec | {"training": {**spec["training"], "imbalance": {}}})
