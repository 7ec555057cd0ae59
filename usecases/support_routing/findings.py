"""Findings: what the platform's cores say of the story's requests, stage by stage."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from driftloop.business import accounts
from driftloop.business import review as reviews
from driftloop.data import representative
from driftloop.evaluation import difference, gate, loss
from driftloop.labels import audit, correction, errors, functions, label_model, out_of_fold
from driftloop.labels.classes import codes
from driftloop.labels.label_model import LabelModel
from driftloop.scoping import bottleneck, verdict
from driftloop.scoping.verdict import Evidence
from driftloop.stages.returned import Returned
from driftloop.stages.rules import RULES
from driftloop.story.finding import Finding
from driftloop.training import fit
from driftloop.training.target import Answers
from driftloop.usecase import UseCase
from driftloop_contracts import text
from driftloop_contracts.text import Vocabulary

ENTITY = "requester_id"
LOOKED_AT = 150
"""Suspect labels that careful people look at, and as many drawn at random from the others."""
WORTH = 0.2
"""Cohen's h from which on a change of the traffic is worth a return."""
UNKNOWN = f"message_{text.UNKNOWN}"
CHOSEN = "predicted_class"


class Known(NamedTuple):
    """A model with the words that its training had, and how its training rows look by them."""

    model: Any
    vocabulary: Vocabulary
    described: pd.DataFrame


def scoping(case: UseCase, steps: pd.DataFrame, rng: np.random.Generator) -> Finding:
    """Say what a wish lacks, where the time lies, and what the framed problem lacks then."""
    spec = case.loop.spec.scoping
    wish = verdict.verdict(Evidence(wish=spec.wish))
    found = bottleneck.bottleneck(steps, rng)
    framed = verdict.verdict(
        Evidence(
            wish=spec.wish,
            claimed=found.named,
            bottleneck=found,
            predicted_minutes=spec.bottleneck.minutes,
            input=spec.input,
            output=spec.output,
            objective=spec.objective,
        )
    )
    said = (
        f"{wish.kind.capitalize()}: {wish.reasons[0]} Missing: {'; '.join(wish.missing)}.",
        f"The log of {found.cases} requests: {found.reason}",
        f"So it is framed: in, {spec.input.lower()} Out, {spec.output.lower()}",
        *framed.reasons,
    )
    figures = (("wish", spec.wish), ("verdict", framed.kind), ("missing", framed.missing[0]))
    return Finding(f"{framed.kind.capitalize()}: {framed.condition}", said, figures)


def weak(case: UseCase, rows: pd.DataFrame) -> tuple[LabelModel, Finding]:
    """Label requests by rules of thumb alone."""
    classes = case.loop.spec.objective.classes
    votes = functions.cast(case.labelling_functions(), rows, classes)
    found = label_model.fit(votes)
    voted = (
        f"Nobody has labelled anything, so {len(votes.voters)} keyword rules vote on {len(rows):,} "
        f"requests: {found.covered.mean():.0%} have a vote."
    )
    said = (voted, *found.notes)
    shares = pd.Series(np.array(classes, object)[found.labels[found.covered]])
    figures = tuple((name, f"{share:.0%}") for name, share in _shares(shares, classes))
    return found, Finding("Labels by rules of thumb", said, figures)


def _shares(labels: pd.Series, classes: tuple[str, ...]) -> list[tuple[str, float]]:
    found = labels.value_counts(normalize=True)
    return [(name, float(found.get(name, 0.0))) for name in classes]


def learnt(case: UseCase, rows: pd.DataFrame) -> Known:
    """Fit a model and note the words that its training had."""
    model = fit.fit(case, case.loop.spec.training.estimators[0], rows)
    served, own = text.vocabularies(rows["message"])
    told = fit.answers(case, model, rows)
    return Known(model, served, described(rows, own, told))


def described(rows: pd.DataFrame, vocabulary: Vocabulary, told: Answers) -> pd.DataFrame:
    """Return what is watched of the rows: unknown words, and the departments that are answered."""
    place = [*text.KINDS].index(text.UNKNOWN)
    unknown = [text.derived(one, vocabulary)[place] for one in rows["message"]]
    watched = {UNKNOWN: np.array(unknown, object), CHOSEN: told.chosen}
    return rows[["event_time", "weight", ENTITY]].assign(**watched)


def losses(case: UseCase, model: Any, rows: pd.DataFrame) -> Any:
    """Return each row's loss: minus the logarithm of its department's probability."""
    found = fit.answers(case, model, rows).probabilities
    assert found is not None
    truth = codes(rows["category"], case.loop.spec.objective.classes, "the rows")
    return -np.log(np.clip(found[np.arange(len(rows)), truth], loss.CLIP, 1))


def labels_audited(
    case: UseCase, rows: pd.DataFrame, tests: pd.DataFrame, rng: np.random.Generator
) -> Finding:
    """Have people look at labels that the model doubts, and at others by chance."""
    classes, spec = case.loop.spec.objective.classes, case.loop.spec
    given, name = codes(rows["category"], classes, "the rows"), spec.training.estimators[0]

    def predicted(known: Any, asked: Any) -> Any:
        model = fit.fit(case, name, rows.iloc[known])
        return fit.answers(case, model, rows.iloc[asked]).probabilities

    def lost(known: Any, labels: Any) -> Any:
        fixed = rows.iloc[known].assign(category=np.array(classes, object)[labels])
        return losses(case, fit.fit(case, name, fixed), tests)

    p = out_of_fold.probabilities(predicted, given, rng, folds=2, entities=rows[ENTITY])
    found = errors.find(given, p, classes, decidable=True)
    suspect, rest = found.order[:LOOKED_AT], found.order[LOOKED_AT:]
    seen = np.concatenate([suspect, rng.choice(rest, LOOKED_AT, replace=False)])
    truth = codes(rows["truth"], classes, "the rows")
    wrong = truth[seen] != given[seen]
    rate = audit.rate(wrong, np.arange(len(seen)) >= len(suspect), len(rows))
    how = f"a careful look at {len(seen)} of them"
    back = errors.judge(rate, spec.data.labelling.max_errors, len(rows), how)
    low, value, high = rate
    said = f"Of the labels {value:.1%} are wrong ({low:.1%} to {high:.1%}), by {how}."
    if not back:
        return Finding("The labels are sound enough", (said,), (("wrong labels", f"{value:.1%}"),))
    worst = pd.Series(np.array(classes, object)[given[seen[wrong]]]).mode()[0]
    (effect,) = correction.effects(
        lost, given, suspect, truth, [len(suspect)], rng, entities=tests[ENTITY]
    )
    sentences = (f"{said} Most of them say {worst}.", effect.sentence())
    figures = (
        ("wrong labels", f"{value:.1%}"),
        ("allowed", f"{spec.data.labelling.max_errors:.0%}"),
    )
    return Finding("Error analysis: the labels", sentences, figures, back)


def newest_known(known: Known, newest: pd.DataFrame) -> representative.Representativeness:
    """Say whether the rows that a model learnt from are what the newest traffic is."""
    return representative.compare(
        known.described,
        newest,
        {UNKNOWN: "categorical"},
        effect=WORTH,
        jointly=False,
        entity=ENTITY,
    )


def drift(reference: pd.DataFrame, week: pd.DataFrame) -> Returned | None:
    """Return the way back where a week's texts or answers are not those of the reference."""
    kinds = {UNKNOWN: "categorical", CHOSEN: "categorical"}
    found = representative.compare(
        reference, week, kinds, effect=WORTH, level=0.001, jointly=False, entity=ENTITY
    )
    if not found.differing:
        return None
    told = "; ".join(one.sentence for one in found.differing)
    return RULES["data_drift"].returned(f"{len(week):,} requests of a week shifted: {told}.")


def better(
    case: UseCase,
    known: Known,
    weak_model: LabelModel,
    tests: pd.DataFrame,
    rng: np.random.Generator,
) -> Finding:
    """Compare the model with the rules of thumb on rows that careful people labelled."""
    classes = case.loop.spec.objective.classes
    truth = codes(tests["category"], classes, "the test rows")
    ruled = -np.log(np.clip(weak_model.probabilities[np.arange(len(tests)), truth], loss.CLIP, 1))
    own = losses(case, known.model, tests)
    drawn = difference.resample({"model": own, "rules": ruled}, tests[ENTITY], 500, rng)
    low, value, high = drawn.relative("model", "rules").interval(0.95)
    told = fit.answers(case, known.model, tests)
    right = (told.chosen == tests["category"]).mean()
    rule_right = (weak_model.labels == truth).mean()
    said = (
        f"Beside the rules of thumb the model's loss differs by {value:+.1%} [{low:+.1%}, "
        f"{high:+.1%}] on {len(tests)} requests that careful people labelled."
    )
    figures = (("right", f"{right:.1%}"), ("right by the rules", f"{rule_right:.1%}"))
    title = "The model is better than the rules" if high < 0 else "The rules do as well"
    return Finding(title, (said,), figures)


def deployment(
    case: UseCase, model: Any, champion: Any, tests: pd.DataFrame, rng: np.random.Generator
) -> Finding:
    """Ask the gate, and say above which confidence the model answers.

    ``champion``: the model in service, None where there is none.
    """
    spec, told = case.loop.spec, fit.answers(case, model, tests)
    own, right = losses(case, model, tests), told.chosen == tests["category"].to_numpy(object)
    shares = dict(_shares(tests["category"], spec.objective.classes))
    trivial = -np.log(tests["category"].map(shares).to_numpy("float64"))
    scored = tests.assign(
        probability=told.prediction, positives=right.astype("float64"),
        candidate_loss=own, release_loss=own, trivial_loss=trivial,
    )  # fmt: skip
    if champion is not None:
        scored["champion_loss"] = losses(case, champion, tests)
    cause = "initial" if champion is None else "drift"
    judged = gate.judge(gate.Evidence(scored, ("source",)), spec.gate, cause, rng)
    costs = spec.charter.costs
    assert costs is not None
    given = costs.decided(told.prediction)
    spent = (costs.wrong_answer * (given & ~right) + costs.person * ~given).mean()
    policy = (
        f"A wrong answer costs {costs.wrong_answer:g} {costs.unit} and a person {costs.person:g}, "
        f"so the model answers above {costs.threshold:.0%} confidence: {given.mean():.0%} of the "
        f"requests, {right[given].mean():.1%} of them rightly."
    )
    money = (
        f"That costs {spent:.2f} {costs.unit} a request; a person for each would cost "
        f"{costs.person:g}, an answer to each {costs.wrong_answer * (~right).mean():.2f}."
    )
    back = None
    if judged.verdict != gate.PROMOTE:
        back = RULES["gate_refused"].returned(" ".join(judged.reasons))
    figures = (("threshold", f"{costs.threshold:.0%}"), ("answered", f"{given.mean():.0%}"))
    return Finding(
        "Refused" if back else "Released", (*judged.reasons, policy, money), figures, back
    )


def answered(case: UseCase, model: Any, rows: pd.DataFrame) -> tuple[pd.DataFrame, Answers]:
    """Return the rows as they were served, and what was answered."""
    told, costs = fit.answers(case, model, rows), case.loop.spec.charter.costs
    assert costs is not None
    right = (told.chosen == rows["category"].to_numpy(object)).astype("float64")
    given = costs.decided(told.prediction).astype("float64")
    served = rows.assign(
        prediction=told.prediction, positives=right, decided=given,
        decided_right=given * right, decided_wrong=given * (1 - right),
    )  # fmt: skip
    return served, told


def business(case: UseCase, served: pd.DataFrame, rng: np.random.Generator) -> tuple[Finding, bool]:
    """Review what was earned; and say whether that settles it."""
    spec, start = case.loop.spec, served["event_time"].min().floor("D").to_pydatetime()
    periods = accounts.periods(
        served, spec.objective, spec.business, rng, entity=ENTITY, anchor=start
    )
    decision = reviews.review(periods, [[] for _ in periods], spec.objective, spec.business)
    assert decision is not None
    figures = tuple(
        (f"right first time in period {one.number}", reviews.told(one.kpi, 0.025))
        for one in periods
    )
    minutes = periods[-1].satisfaction
    assert minutes is not None
    said = f"A request saves {minutes.value:.2f} minutes of reading, those gone astray subtracted."
    title = f"The review says: {decision.said}"
    reasons = (*decision.reasons, said)
    finding = Finding(title, reasons, figures, decision.returned, decision.decision)
    return finding, len(periods) >= spec.business.reviews and not decision.watch
