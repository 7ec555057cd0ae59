from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from driftloop.labels import functions, votes
from driftloop.labels.functions import LabellingFunction, by_row
from driftloop.labels.votes import Votes
from driftloop_contracts.errors import InvalidInput

CLASSES = ("ham", "spam")
ROWS = pd.DataFrame({"text": ["win money", "see you", "free money", "hi"]}, index=[9, 7, 5, 3])


def says(found: object) -> LabellingFunction:
    return LabellingFunction("rule", lambda rows: found)


def test_votes_keep_the_order_of_the_rows_whatever_holds_them() -> None:
    money = LabellingFunction(
        "money", lambda rows: rows["text"].str.contains("money").map({True: "spam", False: None})
    )
    short = by_row("short", lambda row: "ham" if len(row.text) < 4 else None)
    array = says(np.array(["ham", None, np.nan, pd.NA], dtype=object))
    found = functions.cast([money, short, array], ROWS, CLASSES)
    assert found.codes.tolist() == [[1, -1, 0], [-1, -1, -1], [1, -1, -1], [-1, 0, -1]]


def test_a_function_that_raises_is_named_in_one_sentence() -> None:
    broken = by_row("broken", lambda row: row.nothing)
    with pytest.raises(InvalidInput, match="'broken' must be made without an error.*Attribute"):
        functions.cast([broken], ROWS, CLASSES)


@pytest.mark.parametrize(
    "found", [["spam"], "spam", None, 3, ["maybe"] * 4, [1, 0, 1, 0], [True] * 4, [["spam"]] * 4]
)
def test_what_is_no_vote_is_refused_with_the_functions_name(found: object) -> None:
    with pytest.raises(InvalidInput, match="the labelling function 'rule'"):
        functions.cast([says(found)], ROWS, CLASSES)


def test_functions_and_classes_must_differ() -> None:
    with pytest.raises(InvalidInput, match="of different names"):
        functions.cast([says(["spam"] * 4)] * 2, ROWS, CLASSES)
    with pytest.raises(InvalidInput, match="of different names"):
        functions.cast([], ROWS, CLASSES)
    with pytest.raises(InvalidInput, match="two or more different names"):
        functions.cast([says(["spam"] * 4)], ROWS, ("spam",))


def test_a_function_cannot_change_the_rows() -> None:
    def meddle(rows: pd.DataFrame) -> list[None]:
        rows["text"] = "changed"
        return [None] * len(rows)

    functions.cast([LabellingFunction("meddle", meddle)], ROWS, CLASSES)
    assert ROWS["text"].iloc[0] == "win money"


def test_summary_counts_by_hand() -> None:
    codes = np.array([[0, 0, -1], [0, 1, -1], [1, -1, -1], [-1, -1, -1], [1, 1, -1]])
    told = Votes(codes, ("a", "b", "silent"), CLASSES)
    a, b, silent = votes.summaries(told, np.array([0, 0, 0, 0, -1]))
    assert (a.coverage, a.overlap, a.conflict) == (0.8, 0.6, 0.2)
    assert a.voted_for == {"ham": 2, "spam": 2}
    assert (a.known, round(a.accuracy.estimate, 3)) == (3, 0.667)
    assert (b.coverage, b.overlap, b.conflict, b.known) == (0.6, 0.6, 0.2, 2)
    assert silent.coverage == 0
    assert silent.to_data()["accuracy"] == {"low": 0.0, "estimate": None, "high": 1.0}


def test_majority_says_nothing_of_ties_and_silence() -> None:
    codes = np.array([[0, 0, 1], [0, 1, -1], [-1, -1, -1], [1, -1, -1]])
    told = Votes(codes, ("a", "b", "c"), CLASSES)
    assert told.majority().tolist() == [0, -1, -1, 1]
    assert told.disagreement().round(2).tolist() == [0.92, 1.0, 0.0, 0.0]


def test_wilsons_bounds_hold_as_often_as_they_say() -> None:
    from driftloop.labels.proportion import wilson

    rng = np.random.default_rng(0)
    for share in (0.02, 0.3, 0.9):
        bounds = [wilson(float(k), 60.0) for k in rng.binomial(60, share, 2000)]
        held = np.mean([low <= share <= high for low, _, high in bounds])
        assert 0.92 <= held <= 0.985
