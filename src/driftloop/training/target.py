"""Target: what an objective makes of a model's probabilities, of an outcome or of classes.

    Binary    a row is ``weight`` impressions of which ``positives`` had the outcome
    Classes   a row is ``weight`` impressions of one ``category``, or a record answered so

What is recorded of an answer among classes is its confidence: the probability of the class that was
chosen. Its outcome is whether that was right. So all that follows predictions and outcomes, as
calibration, concept drift and the KPI, works on both alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from driftloop.evaluation import loss
from driftloop.evaluation.loss import CLIP, Floats
from driftloop.labels import classes
from driftloop.loop import LearningLoop
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.inference import CATEGORY

Texts = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Answers:
    """What a model says of some rows.

    ``prediction``: what is recorded: the probability of a positive, or of the class ``chosen``;
    ``probabilities``: of every class, [rows, classes] in loop.yaml's order.
    """

    prediction: Floats
    chosen: Texts | None = None
    probabilities: Floats | None = None


@dataclass(frozen=True)
class Judged:
    """Row totals: ``loss`` (nats), ``brier``, and impressions ``predicted`` and ``positives``.

    ``positives``: that came, or whose class was right.
    """

    loss: Floats
    brier: Floats
    predicted: Floats
    positives: Floats


class Target(Protocol):
    """How an objective's labels are fitted, and probabilities of them judged."""

    def labels(self, labels: Any) -> Any:
        """Return labels as estimators take them; raise InvalidInput for what is none."""

    def answers(self, model: Any, inputs: pd.DataFrame) -> Answers:
        """Return what ``model`` says of its ``inputs``."""

    def base(self, rows: pd.DataFrame) -> Floats:
        """Return what a model says that knows how often each outcome came, and nothing else."""

    def always(self, base: Floats, count: int) -> Answers:
        """Return the answers of that model to so many rows."""

    def judge(self, answers: Answers, rows: pd.DataFrame) -> Judged:
        """Return what answers to labelled ``rows`` come to."""

    def of_truth(self, answers: Answers, rows: pd.DataFrame) -> Floats:
        """Return the probability that was given to what then happened, of a positive if binary."""

    def entropy(self, rows: pd.DataFrame) -> float:
        """Return the loss per impression of always saying the rows' own ``base``."""


@dataclass(frozen=True)
class Binary:
    """An outcome that comes or does not."""

    def labels(self, labels: Any) -> Any:
        """Return them as they are: 0 and 1; raise InvalidInput for another one."""
        known = np.isin(labels, (0, 1))
        if not known.all():
            odd = np.asarray(labels)[~known][0]
            raise InvalidInput("a label", "labels.py", "0 or 1, without objective.classes", odd)
        return labels

    def answers(self, model: Any, inputs: pd.DataFrame) -> Answers:
        """Return the probability of a positive for each row."""
        return Answers(model.predict_proba(inputs)[:, 1])

    def base(self, rows: pd.DataFrame) -> Floats:
        """Return the rate of positives, one number."""
        return np.array([float(rows["positives"].sum() / rows["weight"].sum())])

    def always(self, base: Floats, count: int) -> Answers:
        """Return the same rate for every row."""
        return Answers(np.full(count, base[0]))

    def judge(self, answers: Answers, rows: pd.DataFrame) -> Judged:
        """Return log loss and squared error of the probability of a positive."""
        p, positives, weight = answers.prediction, rows["positives"], rows["weight"]
        return Judged(
            loss.log_loss(p, positives, weight),
            loss.brier(p, positives, weight),
            p * weight.to_numpy("float64"),
            positives.to_numpy("float64"),
        )

    def of_truth(self, answers: Answers, rows: pd.DataFrame) -> Floats:
        """Return the probability of a positive: ``positives`` says how many there were."""
        return answers.prediction

    def entropy(self, rows: pd.DataFrame) -> float:
        """Return the entropy of the rows' rate."""
        return loss.base_entropy(rows["positives"], rows["weight"])


@dataclass(frozen=True)
class Classes:
    """One of ``names``; losses are of the whole distribution over them."""

    names: tuple[str, ...]

    def labels(self, labels: Any) -> Any:
        """Return the class names as text; raise InvalidInput for another one, or for one alone."""
        found = np.array(labels, dtype=str)
        present = set(found.tolist())
        odd = sorted(present - set(self.names))
        if odd:
            raise InvalidInput("a label", "labels.py", f"one of {list(self.names)}", odd[0])
        if len(present) < 2:
            allowed = "rows of two or more classes"
            raise InvalidInput("the training window", "labels.py", allowed, sorted(present))
        return found

    def answers(self, model: Any, inputs: pd.DataFrame) -> Answers:
        """Return each row's likeliest class; one that the model never saw has probability 0."""
        own, known = model.predict_proba(inputs), [str(name) for name in model.classes_]
        if known == list(self.names):
            return self._answers(own)
        probabilities = np.zeros((len(own), len(self.names)))
        for place, name in enumerate(self.names):
            if name in known:
                probabilities[:, place] = own[:, known.index(name)]
        return self._answers(probabilities)

    def base(self, rows: pd.DataFrame) -> Floats:
        """Return each class's share of the impressions, each with one more than came."""
        return classes.shares(rows, self.names)

    def always(self, base: Floats, count: int) -> Answers:
        """Return the same shares for every row."""
        return self._answers(np.tile(base, (count, 1)))

    def judge(self, answers: Answers, rows: pd.DataFrame) -> Judged:
        """Return cross-entropy, and squared error over all classes (Brier, 1950)."""
        weight = rows["weight"].to_numpy("float64")
        assert answers.probabilities is not None
        truth = np.eye(len(self.names))[classes.places(rows, self.names)]
        squares = ((answers.probabilities - truth) ** 2).sum(axis=1)
        right = answers.chosen == rows[CATEGORY].to_numpy(object)
        given = self.of_truth(answers, rows)
        return Judged(-np.log(given) * weight, squares * weight, answers.prediction * weight,
                      right * weight)  # fmt: skip

    def of_truth(self, answers: Answers, rows: pd.DataFrame) -> Floats:
        """Return the probability of each row's ``category``."""
        assert answers.probabilities is not None
        given = answers.probabilities[np.arange(len(rows)), classes.places(rows, self.names)]
        kept: Floats = np.clip(given, CLIP, 1 - CLIP)
        return kept

    def entropy(self, rows: pd.DataFrame) -> float:
        """Return the entropy of the rows' classes."""
        counts = np.bincount(classes.places(rows, self.names), rows["weight"], len(self.names))
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log(shares)).sum())

    def _answers(self, probabilities: Floats) -> Answers:
        best = probabilities.argmax(axis=1)
        confidence = probabilities[np.arange(len(best)), best]
        chosen = np.array(self.names, dtype=object)[best]
        return Answers(np.clip(confidence, CLIP, 1 - CLIP), chosen, probabilities)


def of(loop: LearningLoop) -> Target:
    """Return the target of a loop's objective."""
    names = loop.spec.objective.classes
    return Classes(names) if names else Binary()
