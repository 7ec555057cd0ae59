"""Label model: from votes to the probability of each class, by how good each voter is.

Dawid and Skene (1979), Applied Statistics 28:20. Each row has one true class k with the prior
p_k; given it, voters vote independently, voter j for l with probability pi_j[k, l]. EM finds the
p and pi under which the votes seen are likeliest, and with them

    P(k | votes)  in proportion to  p_k * prod over j of pi_j[k, vote_j]

An abstention is a missing vote and has no factor, unless ``abstention`` is ``"informative"``: then
it is one more thing that a voter may say. A function that ever only says one class needs that:
that it said it, and not that it said nothing, is all that it tells. ``"auto"`` takes it where
there is such a function.

A few imagined rows (a Dirichlet prior) in which voters are a little better than chance keep every
probability above 0 and decide which class is which; the start is the share of votes, so the same
votes give the same model. What the model cannot know: with fewer than three voters that overlap
it has no way to tell who is right, and of voters that copy each other it believes too much
(dependence.py looks for them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from driftloop.labels.classes import NONE, Codes, Floats
from driftloop.labels.votes import Votes
from driftloop_contracts.errors import InvalidInput

Abstention = Literal["auto", "missing", "informative"]

IMAGINED = 2.0
"""Rows of each class whose votes are imagined: as many as a voter begins with."""
TRUSTED = 0.5
"""Share of them on which the voter is right beyond chance."""
ROUNDS = 500
TOLERANCE = 1e-7
"""Mean change of log-likelihood a row below which EM has converged."""
FEWEST_VOTERS = 3


@dataclass(frozen=True, eq=False)
class LabelModel:
    """What EM found.

    ``probabilities`` [rows, classes]; ``covered``: whether anybody voted on a row (else it has the
    prior, or with informative abstentions what silence tells); ``prior`` [classes];
    ``confusion`` [voters, classes, classes]: P(vote is l | true class is k, it voted);
    ``coverage`` [voters, classes]: P(it votes | k); ``notes``: sentences on what is not sure.
    """

    probabilities: Floats
    covered: Any
    prior: Floats
    confusion: Floats
    coverage: Floats
    voters: tuple[str, ...]
    classes: tuple[str, ...]
    abstention: str
    rounds: int
    converged: bool
    log_likelihood: float
    notes: tuple[str, ...]

    @property
    def labels(self) -> Codes:
        """Return the most probable class of each row, the first of equals."""
        found: Codes = self.probabilities.argmax(axis=1)
        return found

    def accuracy(self) -> Floats:
        """Return each voter's estimated share of right votes."""
        right = np.diagonal(self.confusion, axis1=1, axis2=2)
        voted = self.prior * self.coverage
        found: Floats = (right * voted).sum(axis=1) / np.maximum(voted.sum(axis=1), 1e-300)
        return found

    def to_data(self) -> dict[str, Any]:
        """Return what was found but for the rows, ready for JSON."""
        return {
            "classes": list(self.classes),
            "prior": self.prior.tolist(),
            "rows": len(self.probabilities),
            "without_votes": int((~self.covered).sum()),
            "voters": {
                name: {"accuracy": float(accuracy), "confusion": matrix.tolist()}
                for name, accuracy, matrix in zip(
                    self.voters, self.accuracy(), self.confusion, strict=True
                )
            },
            "abstention": self.abstention,
            "rounds": self.rounds,
            "converged": self.converged,
            "notes": list(self.notes),
        }


def fit(
    votes: Votes,
    prior: Mapping[str, float] | None = None,
    truth: Codes | None = None,
    abstention: Abstention = "auto",
) -> LabelModel:
    """Return the label model of ``votes``.

    ``prior``: the share of each class where it is known, else it is estimated; ``truth``: codes of
    the labels that are known for sure (-1 elsewhere), which the model takes as they are. Raise
    InvalidInput for no rows, and for a prior that is no distribution over the classes.

    >>> codes = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0], [-1, -1, -1]] * 20)
    >>> found = fit(Votes(codes, ("a", "b", "c"), ("no", "yes")))
    >>> found.labels[:4].tolist(), bool(found.covered[4]), found.converged
    ([0, 0, 1, 1], False, True)
    """
    rows, known = len(votes.codes), _known(votes, truth)
    if not rows:
        raise InvalidInput("the votes", "the label model", "of one row or more", "none")
    how = _abstention(votes, abstention)
    # Rows of the same votes have the same answer: of thousands a few hundred are left.
    both = np.concatenate([votes.codes, known[:, None]], axis=1)
    patterns, place, counts = np.unique(both, axis=0, return_inverse=True, return_counts=True)
    work = _Work(patterns[:, :-1], patterns[:, -1], counts.astype("float64"), votes, how)
    given = None if prior is None else _given(prior, votes.classes)
    posterior, shares, said, rounds, likelihood, converged = work.run(given)
    confusion, coverage = _split(said, len(votes.classes), votes.cast.mean(axis=0))
    return LabelModel(
        posterior[place.reshape(-1)], votes.cast.any(axis=1), shares, confusion, coverage,
        votes.voters, votes.classes, how, rounds, converged, likelihood,
        tuple(_notes(votes, converged)),
    )  # fmt: skip


class _Work:
    """EM over the different ``patterns`` of votes, each there ``counts`` times."""

    def __init__(
        self, patterns: Codes, known: Codes, counts: Floats, votes: Votes, abstention: str
    ) -> None:
        self.patterns, self.known, self.counts = patterns, known, counts
        self.classes = len(votes.classes)
        self.voters = len(votes.voters)
        silent = abstention == "informative"
        outcomes = self.classes + silent
        said = np.where((patterns == NONE) & silent, self.classes, patterns)
        self.told = (said[:, :, None] == np.arange(outcomes)).astype("float64")
        self.imagined = _imagined(votes, outcomes)

    def run(self, given: Floats | None) -> tuple[Floats, Floats, Floats, int, float, bool]:
        """Return posterior, prior, P(said | class), rounds, log-likelihood, convergence."""
        flat = self.told.reshape(len(self.told), -1)
        posterior, before, likelihood, converged, rounds = (
            self._start(given),
            -np.inf,
            0.0,
            False,
            0,
        )
        for rounds in range(1, ROUNDS + 1):  # noqa: B007 - told in the end
            weighted = posterior * self.counts[:, None]
            shares = _shares(weighted.sum(axis=0)) if given is None else given
            counts = (weighted.T @ flat).reshape(self.classes, *self.told.shape[1:])
            said = np.swapaxes(counts, 0, 1) + self.imagined
            said /= said.sum(axis=2, keepdims=True)
            logs = flat @ np.log(said).transpose(0, 2, 1).reshape(-1, self.classes) + np.log(shares)
            most = logs.max(axis=1, keepdims=True)
            scale = np.exp(logs - most)
            posterior = self._pinned(scale / scale.sum(axis=1, keepdims=True))
            likelihood = float(self.counts @ (most[:, 0] + np.log(scale.sum(axis=1))))
            likelihood += float((self.imagined * np.log(said)).sum())
            if abs(likelihood - before) < TOLERANCE * self.counts.sum():
                converged = True
                break
            before = likelihood
        return posterior, shares, said, rounds, likelihood, converged

    def _start(self, given: Floats | None) -> Floats:
        """Return the shares of votes, and where there are none those of all rows."""
        places = np.arange(self.classes)
        votes: Floats = (self.patterns[:, :, None] == places).sum(axis=1).astype("float64")
        total = votes.sum(axis=1, keepdims=True)
        shares = votes / np.maximum(total, 1)
        usual = _shares(self.counts @ shares) if given is None else given
        return self._pinned(np.where(total > 0, shares, usual))

    def _pinned(self, posterior: Floats) -> Floats:
        """Return the posterior, sure where the true label is known."""
        sure = self.known[:, None] == np.arange(self.classes)
        found: Floats = np.where(self.known[:, None] != NONE, sure, posterior)
        return found


def _imagined(votes: Votes, outcomes: int) -> Floats:
    """Return the imagined counts, [voters, classes, outcomes], like each voter's coverage."""
    classes = len(votes.classes)
    usual = TRUSTED * np.eye(classes) + (1 - TRUSTED) / classes
    found = np.repeat(usual[None], len(votes.voters), axis=0) * IMAGINED
    if outcomes == classes:
        return found
    # One more row each way, so that a voter that never or always votes has no chance of 0.
    rows = len(votes.codes)
    share = ((votes.cast.sum(axis=0) + 1) / (rows + 2))[:, None]
    silent = np.repeat(IMAGINED * (1 - share)[:, :, None], classes, axis=1)
    return np.concatenate([found * share[:, :, None], silent], axis=2)


def _split(said: Floats, classes: int, cast: Floats) -> tuple[Floats, Floats]:
    """Return P(vote | class, voted) and P(voted | class)."""
    voted = said[:, :, :classes].sum(axis=2)
    confusion = said[:, :, :classes] / voted[:, :, None]
    # Where abstentions tell nothing, a voter votes as often on each class.
    informative = said.shape[2] > classes
    return confusion, voted if informative else np.repeat(cast[:, None], classes, axis=1)


def _shares(counts: Floats) -> Floats:
    """Return class shares with one imagined row of each, so that none is impossible."""
    found: Floats = (counts + 1) / (counts.sum() + len(counts))
    return found


def _abstention(votes: Votes, asked: str) -> str:
    if asked not in ("auto", "missing", "informative"):
        allowed = "auto, missing or informative"
        raise InvalidInput("abstention", "the label model", allowed, asked)
    if asked != "auto":
        return asked
    kinds = [len(np.unique(column[column != NONE])) for column in votes.codes.T]
    return "informative" if 1 in kinds else "missing"


def _known(votes: Votes, truth: Codes | None) -> Codes:
    if truth is None:
        return np.full(len(votes.codes), NONE)
    known = np.asarray(truth)
    if known.shape != (len(votes.codes),):
        allowed = f"one for each of {len(votes.codes)} rows"
        raise InvalidInput("the true labels", "the label model", allowed, known.shape)
    return known


def _given(prior: Mapping[str, float], classes: tuple[str, ...]) -> Floats:
    shares = np.array([float(prior.get(name, np.nan)) for name in classes])
    if set(prior) != set(classes) or not (shares > 0).all() or abs(shares.sum() - 1) > 1e-6:
        allowed = f"shares above 0 of {list(classes)} that sum to 1"
        raise InvalidInput("the prior", "the label model", allowed, dict(prior))
    return shares


def _notes(votes: Votes, converged: bool) -> list[str]:
    """Return what a reader must know before the probabilities are relied on."""
    found, cast = [], votes.cast
    silent = [name for name, used in zip(votes.voters, cast.any(axis=0), strict=True) if not used]
    if silent:
        found.append(f"These never vote and tell nothing: {', '.join(silent)}.")
    if len(votes.voters) - len(silent) < FEWEST_VOTERS:
        found.append("With fewer than three voters nothing tells which of them is right.")
    counts = votes.counts().sum(axis=0)
    never = [name for name, count in zip(votes.classes, counts, strict=True) if not count]
    if never:
        found.append(f"Nobody ever votes for: {', '.join(never)}; only the prior speaks for it.")
    if not cast.any(axis=1).all():
        found.append(f"{(~cast.any(axis=1)).sum()} of {len(cast)} rows have no vote.")
    if not converged:
        found.append(f"EM had not converged after {ROUNDS} rounds.")
    return found
