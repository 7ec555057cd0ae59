"""From a queue to a spreadsheet and back, to one label a row."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftloop.labels import adjudication, audit, history, label_model, review_file, review_queue
from driftloop_contracts.errors import InvalidInput

CLASSES = ("ham", "spam")
NOW = pd.Timestamp("2026-03-01T12:00Z").to_pydatetime()
IDS = ["a", "b", "c", "d"]
TEXT = pd.DataFrame({"text": ["=cmd|' /C calc'!A0", 'two\nlines, a "quote"', "", "£5"]})


def filled(*rows: tuple[str, str, str], header: str = "id,label,reviewer") -> bytes:
    lines = [header, *(",".join(row) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def load(content: bytes) -> review_file.Reviews:
    return review_file.load(content, IDS, CLASSES, NOW)


def test_the_queue_takes_the_doubtful_and_some_by_chance() -> None:
    p = np.full((1000, 2), 0.5)
    p[:900] = (0.999, 0.001)
    found = review_queue.choose(p, 80, 0.25, np.random.default_rng(0))
    doubtful = found[found["chosen_by"] == review_queue.UNCERTAIN]
    assert (len(found), len(doubtful)) == (80, 60)
    assert (doubtful["position"] >= 900).all()
    assert found["position"].is_unique
    assert found["stands_for"].sum() == pytest.approx(1000)
    assert not found["chosen_by"].iloc[:60].eq("uncertain").all()


def test_disagreement_and_suspicion_say_what_comes_first() -> None:
    p, rng = np.full((100, 2), 0.5), np.random.default_rng(0)
    fought = (np.arange(100) < 5).astype(float)
    first = review_queue.choose(p, 6, 0.01, rng, disagreement=fought)
    chosen = first.loc[first["chosen_by"] == "uncertain", "position"]
    assert sorted(chosen) == [0, 1, 2, 3, 4]
    suspicion = np.where(np.arange(100) == 7, 0.9, np.nan)
    second = review_queue.choose(p, 2, 0.5, rng, suspicion=suspicion)
    assert second.loc[second["chosen_by"] == "uncertain", "position"].tolist() == [7]


def test_what_a_queue_says_of_all_rows_has_no_bias() -> None:
    rng, gaps, held = np.random.default_rng(0), [], 0
    for _ in range(300):
        p = rng.beta(0.5, 0.5, 1000)
        # The model is off: rows of which it is sure are wrong as well.
        wrong = rng.random(1000) < 0.05 + 0.3 * (np.abs(p - 0.5) < 0.2)
        queue = review_queue.choose(np.stack([1 - p, p], axis=1), 200, 0.5, rng)
        reviewed = wrong[queue["position"]]
        rate = audit.rate(reviewed, queue["chosen_by"] == "random", 1000)
        assert rate.estimate == pytest.approx((reviewed * queue["stands_for"]).sum() / 1000)
        gaps.append(rate.estimate - wrong.mean())
        held += rate.low <= wrong.mean() <= rate.high
    assert abs(np.mean(gaps)) < 0.004
    assert held >= 0.93 * 300


@pytest.mark.parametrize(("rows", "random"), [(0, 0.5), (5, 0.0), (5, 1.5)])
def test_a_queue_of_nothing_is_refused(rows: int, random: float) -> None:
    with pytest.raises(InvalidInput, match="the review queue"):
        review_queue.choose(np.full((9, 2), 0.5), rows, random, np.random.default_rng(0))


def test_no_cell_of_the_file_is_a_formula() -> None:
    content = review_file.dump(["=1", "b", "c", "d"], TEXT, ["ham"] * 4)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows[0] == ["id", "text", "proposed", "label", "reviewer", "reviewed_time"]
    cells = [cell for row in rows[1:] for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    assert rows[2][1] == TEXT["text"][1]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))))
def test_what_is_written_is_read(texts: list[str]) -> None:
    for text in texts:
        cell = review_file.escaped(text)
        assert review_file.plain(cell) == text
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_file_that_was_filled_in_comes_back() -> None:
    ids = ["=1", "b", "c", "d"]
    rows = list(
        csv.reader(
            io.StringIO(review_file.dump(ids, TEXT, ["ham"] * 4).decode("utf-8-sig"), newline="")
        )
    )
    for row, label in zip(rows[1:], ["spam", "HAM", "", "ham "], strict=True):
        row[3:5] = [label, "Ann"]
    sink = io.StringIO(newline="")
    csv.writer(sink, delimiter=";").writerows(rows)
    found = review_file.load(sink.getvalue().encode(), ids, CLASSES, NOW)
    assert found.reviews["id"].tolist() == ["=1", "b", "d"]
    assert found.reviews["label"].tolist() == ["spam", "ham", "ham"]
    assert (len(found.empty), len(found.rejected)) == (1, 0)


def test_wrong_rows_are_set_aside_with_line_and_reason_and_none_is_lost() -> None:
    content = filled(
        ("a", "spam", "Ann"),
        ("z", "spam", "Ann"),
        ("b", "maybe", "Ann"),
        ("b", "ham", ""),
        ("a", "spam", "ann"),
        ("c", "ham", "Bob"),
        ("c", "spam", "Bob"),
        ("d", "", ""),
        ("d", "ham", "Bob", "surplus"),  # type: ignore[arg-type]
        ("a", "ham", "Bob"),
    )
    found = load(content)
    assert found.reviews[["id", "label", "reviewer"]].to_numpy().tolist() == [
        ["a", "spam", "Ann"],
        ["a", "ham", "Bob"],
    ]
    assert found.empty == (9,)
    reasons = dict(zip(found.rejected["line"], found.rejected["reason"], strict=True))
    assert reasons == {
        3: "unknown id (a spreadsheet may have rounded it)",
        4: "unknown class 'maybe', not one of ['ham', 'spam']",
        5: "no reviewer",
        6: "the same as line 2",
        7: "Bob said another class in line 8",
        8: "Bob said another class in line 7",
        10: "4 cells instead of 3",
    }
    assert found.rows == len(found.reviews) + len(found.empty) + len(found.rejected) == 10
    assert found.rejected["content"].str.len().gt(0).all()


def test_a_review_is_known_when_it_was_made_and_never_later_than_now() -> None:
    header = "id,label,reviewer,reviewed_time"
    found = load(
        filled(
            ("a", "spam", "Ann", "2026-02-01T10:00:00Z"),  # type: ignore[arg-type]
            ("b", "spam", "Ann", ""),  # type: ignore[arg-type]
            ("c", "spam", "Ann", "2027-01-01T00:00:00Z"),  # type: ignore[arg-type]
            ("d", "spam", "Ann", "yesterday"),  # type: ignore[arg-type]
            header=header,
        )
    )
    assert [str(time) for time in found.reviews["known_time"]] == [
        "2026-02-01 10:00:00+00:00",
        "2026-03-01 12:00:00+00:00",
    ]
    assert found.rejected["line"].tolist() == [4, 5]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "column 'id'"),
        (b"id,label\na,spam\n", "column 'reviewer'"),
        (b"id,label,label,reviewer\n", "column 'label'"),
        (b'id,label,reviewer\na,"spam,Ann\n', "closed quotes.*line 2"),
        ("id,label,reviewer\né,spam,Ann\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_what_is_no_review_file_is_refused(content: bytes, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        load(content)


def test_columns_of_the_files_own_names_are_refused() -> None:
    with pytest.raises(InvalidInput, match="column 'label'"):
        review_file.dump(["a"], pd.DataFrame({"label": ["x"]}), ["ham"])
    with pytest.raises(InvalidInput, match="the ids"):
        review_file.dump(["a", "a"], TEXT.head(2), ["ham"] * 2)


def said(*rows: tuple[str, str, str, int]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["id", "label", "reviewer", "hour"])
    times = pd.Timestamp("2026-03-01T00:00Z") + pd.to_timedelta(frame["hour"], unit="h")
    return frame.assign(known_time=times.astype("datetime64[us, UTC]"))


def test_the_majority_is_taken_and_a_tie_is_nobodys() -> None:
    reviews = said(
        ("a", "spam", "Ann", 1), ("a", "spam", "Bob", 5), ("a", "ham", "Cy", 3),
        ("b", "ham", "Ann", 1), ("b", "spam", "Bob", 2),
    )  # fmt: skip
    found = adjudication.adjudicate(reviews, CLASSES)
    assert found.method == "majority"
    assert found.taken["label"].tolist() == ["spam"]
    assert found.taken["probability"].round(2).tolist() == [0.67]
    assert found.taken["known_time"].dt.hour.tolist() == [5]
    assert found.undecided["id"].tolist() == ["b"]


def test_many_reviewers_are_weighed_by_how_good_they_are() -> None:
    better = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        truth = rng.integers(0, 2, 400)
        rows: list[Any] = []
        for name, accuracy in (("Ann", 0.97), ("Bob", 0.65), ("Cy", 0.65)):
            right = rng.random(400) < accuracy
            for row in range(400):
                label = CLASSES[truth[row] if right[row] else 1 - truth[row]]
                rows.append((f"{row:03}", label, name, 1))
        found = adjudication.adjudicate(said(*rows), CLASSES)
        assert found.method == "Dawid-Skene"
        taken = found.taken.set_index("id")["label"].map(CLASSES.index)
        usual = adjudication.votes(said(*rows), CLASSES)[1].majority()
        better += (taken == truth[taken.index.astype(int)]).mean() > (usual == truth).mean()
    assert better >= 9


def test_reviewed_labels_replace_what_was_reported_before() -> None:
    records = pd.DataFrame(
        {"prediction_id": ["a", "b"], "event_time": pd.to_datetime(["2026-02-01T00:00Z"] * 2)}
    )
    taken = adjudication.adjudicate(
        said(("a", "spam", "Ann", 1), ("b", "ham", "Ann", 2)), CLASSES
    ).taken
    first = adjudication.reports(taken.head(1), records, "spam", CLASSES)
    earlier = first.assign(revision=4, value=0.0)
    found = adjudication.reports(taken, records, "spam", CLASSES, earlier)
    assert found["revision"].tolist() == [5, 0]
    assert found["class"].tolist() == ["spam", "ham"]
    both = pd.concat([earlier, found], ignore_index=True)
    now = pd.Timestamp("2026-03-01T02:00Z")
    resolved = history.resolved(both, "spam", now.to_pydatetime())
    assert resolved.rows["value"].tolist() == [1.0, 0.0]
    assert len(resolved.rejected) == 0
    with pytest.raises(InvalidInput, match="an id in the reviews"):
        adjudication.reports(taken, records.head(1), "spam", CLASSES)


def test_reviewers_who_vote_once_each_are_not_weighed() -> None:
    reviews = said(*((f"{n}", "ham", f"r{n}", 1) for n in range(40)))
    assert adjudication.adjudicate(reviews, CLASSES).method == "majority"
    assert label_model.FEWEST_VOTERS == adjudication.MANY
