"""A review from a store: what it reads and writes; and a pivot is a change of objective."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from business_case import served

from driftloop import cli, loop, parquet
from driftloop.archive import Archive
from driftloop.business import steps
from driftloop.evaluation import cohort
from driftloop.inference_log import InferenceLog
from driftloop.laptop import summary
from driftloop.loop import LearningLoop
from driftloop.report import page
from driftloop.training import declared, rows
from driftloop_contracts import cloudevent, event_types
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import FileStore
from driftloop_contracts.times import from_text

WON = {
    "name": "impressions", "label": "won", "metric": "log_loss", "direction": "minimize",
    "kpi": {"name": "win_rate", "formula": "positives / impressions", "unit": "wins"},
}  # fmt: skip
CLICK = {
    "name": "clicks", "label": "clicked", "metric": "log_loss", "direction": "minimize",
    "kpi": {"name": "click_rate", "formula": "positives / impressions", "unit": "clicks"},
}  # fmt: skip
TERMS = {
    "period": "20d",
    "prices": {"clicked": "0.5 EUR", "impression": "0.001 EUR"},
    "costs": {"training": "2 EUR", "thousandPredictions": "0.1 EUR", "label": "0.01 EUR"},
    "satisfaction": "clicked / impressions",
    "floor": "0 EUR",
}


def declaration(content: dict[str, Any], objective: dict[str, Any], **terms: Any) -> LearningLoop:
    charter = content["spec"]["charter"] | {"target": terms.pop("charter", None)}
    spec = content["spec"] | {"objective": objective, "business": TERMS | terms}
    spec |= {"charter": charter}
    return loop.parse(content | {"spec": spec}, "loop.yaml")


@pytest.fixture(scope="module")
def traffic() -> pd.DataFrame:
    """50 days of rows, each of two choices with its propensity, clicked oftener for one of them."""
    frame, rng = served(1, rows=6000, days=50), np.random.default_rng(2)
    first = rng.random(len(frame)) < 0.5
    clicked = rng.binomial(frame["weight"].astype(int), np.where(first, 0.3, 0.05))
    frame["clicked"] = clicked.astype(float)
    frame["propensity"] = 0.5
    frame["propensity_clicks"] = np.where(first, 0.95, 0.05)
    ids = [f"p{number:05d}" for number in range(len(frame))]
    return frame.assign(prediction_id=ids, bundle_version="0001-00000000")


@pytest.fixture
def store(traffic: pd.DataFrame, tmp_path: Path) -> FileStore:
    found = FileStore(tmp_path / "run" / "store")
    logged = traffic.drop(columns=["clicked", "won", "paid"])
    for day, part in logged.groupby(logged["event_time"].dt.floor("D")):
        key = f"inference/ads-ctr/date={day:%Y-%m-%d}/hour=00/part.parquet"
        found.put(key, parquet.dump(part))
    archive = Archive(found, "ads-ctr")
    for label in ("clicked", "won"):
        reports = pd.DataFrame(
            {
                "prediction_id": traffic["prediction_id"],
                "label": label,
                "value": traffic[label],
                "event_time": traffic["event_time"],
                "known_time": traffic["event_time"] + pd.Timedelta("2h"),
                "revision": 0,
            }
        )
        days = reports["known_time"].dt.ceil("D")
        for day, part in reports.groupby(days):
            put_beside(archive, f"{day:%Y-%m-%d}", part)
    record = {"verdict": "promote", "version": "0001-00000000", "reasons": [],
              "data_end": "2026-01-03T00:00:00Z"}  # fmt: skip
    found.put("retrainings/ads-ctr/ads-ctr-1/verdict.json", json.dumps(record).encode())
    return found


def put_beside(archive: Archive, day: str, part: pd.DataFrame) -> None:
    """Archive outcomes of another label on the same day."""
    key = f"outcomes/ads-ctr/{day}.parquet"
    try:
        there = [parquet.load(archive.store.get(key))]
    except KeyError:
        there = []
    archive.put("outcomes", day, pd.concat([*there, part], ignore_index=True))


def test_a_review_reads_what_was_served_known_and_spent(
    store: FileStore, content: dict[str, Any], traffic: pd.DataFrame
) -> None:
    found = steps.written(declaration(content, CLICK), store)
    first, second, third = found.record["periods"]
    assert [one["complete"] for one in (first, second, third)] == [True, True, False]
    mine = traffic[traffic["event_time"] < "2026-01-21"]
    assert first["rows"] == len(mine)
    rate = mine["clicked"].sum() / mine["weight"].sum()
    assert first["kpi"]["value"] == pytest.approx(rate)
    assert first["satisfaction"]["value"] == pytest.approx(rate)
    assert first["compute_cost"] == pytest.approx(2 + len(mine) * 0.1 / 1000)
    assert first["labelling_cost"] == pytest.approx(0.01 * len(mine), rel=0.01)
    revenue = 0.5 * mine["clicked"].sum() + 0.001 * mine["weight"].sum()
    assert first["revenue"]["value"] == pytest.approx(revenue)
    assert second["compute_cost"] < 1
    assert found.prefix == "reviews/ads-ctr/2026-01-21/"


def test_a_review_asked_for_twice_writes_the_same_bytes(
    store: FileStore, content: dict[str, Any]
) -> None:
    case = declaration(content, CLICK)
    found = steps.written(case, store)
    once = {key: store.get(key) for key in store.list("reviews/")}
    names = {key.removeprefix(found.prefix) for key in once}
    assert names == {"review.json", "review.html", "event.json"}
    # As after a kill between two files.
    store.remove(f"{found.prefix}review.json")
    steps.written(case, store)
    assert {key: store.get(key) for key in store.list("reviews/")} == once


def test_periods_keep_their_place_when_the_oldest_rows_are_erased(
    store: FileStore, content: dict[str, Any]
) -> None:
    case = declaration(content, CLICK)
    steps.written(case, store)
    for key in store.list("inference/ads-ctr/"):
        if key < "inference/ads-ctr/date=2026-01-15":
            store.remove(key)
    again = steps.written(case, store)
    assert [one["number"] for one in again.record["periods"]] == [1, 2, 3]
    assert again.record["anchor"] == "2026-01-01T00:00:00Z"


def test_reviews_are_counted_anew_for_another_period_and_by_no_other_change(
    store: FileStore, content: dict[str, Any]
) -> None:
    steps.written(declaration(content, CLICK), store)
    for key in store.list("inference/ads-ctr/"):
        if key < "inference/ads-ctr/date=2026-01-21":
            store.remove(key)
    kept = steps.judged(declaration(content, CLICK, floor="5 EUR"), store).record
    assert [one["number"] for one in kept["periods"]] == [2, 3]
    anew = steps.judged(declaration(content, CLICK, period="10d"), store).record
    assert [one["number"] for one in anew["periods"]] == [1, 2, 3]


def test_nothing_known_later_is_used(
    store: FileStore, content: dict[str, Any], tmp_path: Path
) -> None:
    """A review as of a day says the same whether or not the later rows are there yet."""
    case, until = declaration(content, CLICK), datetime(2026, 1, 24, tzinfo=UTC)
    whole = steps.judged(case, store, until).record
    for key in [*store.list("inference/"), *store.list("outcomes/")]:
        day = key.partition("date=")[2][:10] or Path(key).stem
        if day > "2026-01-24":
            store.remove(key)
    assert steps.judged(case, store, until).record == whole
    assert len(whole["periods"]) == 2


def test_an_alternative_that_surely_promises_more_is_pivoted_to(
    store: FileStore, content: dict[str, Any]
) -> None:
    case = declaration(content, WON, target=0.9, alternatives=[CLICK])
    found = steps.written(case, store)
    assert (found.record["decision"], found.record["to"]) == ("pivot", "clicks")
    (promise,) = found.record["promises"]
    assert promise["effective"] > 100
    # 0.95 of 0.3 and 0.05 of 0.05, against the half of both, at 0.5 EUR a click.
    assert promise["gain"]["value"] == pytest.approx(0.5 * (0.2875 - 0.175), abs=0.02)
    event = cloudevent.from_dict(json.loads(store.get(f"{found.prefix}event.json")))
    assert event.type == event_types.REVIEWED
    assert event.data["decision"] == "pivot"
    returned = cloudevent.from_dict(json.loads(store.get(f"{found.prefix}returned.json")))
    assert (returned.type, returned.data["to"]) == (event_types.STAGE_RETURNED, "scoping")
    html = store.get(f"{found.prefix}review.html").decode()
    assert "pivot to clicks" in html
    assert "effective sample size" in html


def test_a_pivot_is_a_change_of_objective_and_everything_follows(
    store: FileStore, content: dict[str, Any], traffic: pd.DataFrame
) -> None:
    """The same traffic under two objectives: labels, cohorts, bundles' facts, reports."""
    seen: dict[str, dict[str, Any]] = {}
    until = datetime(2026, 2, 19, tzinfo=UTC)
    for declared_objective in (WON, CLICK):
        case = declaration(content, declared_objective)
        log, archive = InferenceLog.of(store, case), Archive(store, case.name)
        window = {"training": case.spec.training.model_copy(update={"window": pd.Timedelta("30d")})}
        shorter = case.model_copy(update={"spec": case.spec.model_copy(update=window)})
        trained = rows.ingest(archive, log, shorter, until).rows
        start = datetime(2026, 2, 1, tzinfo=UTC)
        records = log.read(start, until)
        reports = archive.outcomes(start, until, case.spec.objective.label)
        scored = cohort.between(records, reports, case, start, until)
        assert scored is not None
        review = steps.judged(case, store).record
        told = {
            "loop": case.name,
            "kpi_name": case.spec.objective.kpi.name,
            "kpi_unit": case.spec.objective.kpi.unit,
            "kpi": summary.kpi_periods([scored], case),
        }
        seen[case.spec.objective.label] = {
            "positives": trained["positives"].sum(),
            "kpi": scored["kpi"],
            "facts": declared.facts(case),
            "headings": (page.render(told, []), steps.review_page.render(review)),
        }
    won, clicked = seen["won"], seen["clicked"]
    window_rows = traffic[traffic["event_time"] >= "2026-01-20"]
    for label, found in seen.items():
        assert found["positives"] == pytest.approx(window_rows[label].sum(), rel=0.1)
    assert won["positives"] > 1.5 * clicked["positives"]
    assert won["kpi"] > 1.5 * clicked["kpi"]
    # The gate asks 'better' of a candidate for another objective than the champion's.
    assert declared.differs(won["facts"], declaration(content, CLICK))
    for html in won["headings"]:
        assert "Win rate" in html
        assert "Click rate" not in html
    for html in clicked["headings"]:
        assert "Click rate" in html


def test_after_a_pivot_only_its_own_bundles_are_reviewed(
    store: FileStore, content: dict[str, Any]
) -> None:
    key = "bundles/ads-ctr/0001-00000000/manifest.json"
    store.put(key, json.dumps({"facts": {"objective": "impressions"}}).encode())
    assert steps.judged(declaration(content, WON), store).record["periods"]
    with pytest.raises(InvalidInput, match="rows served for clicks"):
        steps.judged(declaration(content, CLICK), store)


def test_the_step_is_the_command(
    store: FileStore, content: dict[str, Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    import yaml

    folder = tmp_path / "usecases" / "ads_ctr"
    folder.mkdir(parents=True)
    case = declaration(content, WON, target=0.9, alternatives=[CLICK])
    spec = case.model_dump(by_alias=True, mode="json")
    (folder / "loop.yaml").write_text(yaml.safe_dump(spec))
    monkeypatch.setenv("DRIFTLOOP_USECASES", str(folder.parent))
    monkeypatch.delenv("DRIFTLOOP_STORE", raising=False)
    found = steps.review("ads-ctr", str(store.root), "", "")
    assert found == {"review": "reviews/ads-ctr/2026-01-21/", "decision": "pivot", "to": "clicks"}
    monkeypatch.setattr(
        "sys.argv", ["driftloop", "review", "ads_ctr", "--out", str(tmp_path / "run")]
    )
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert not done.value.code
    told = capsys.readouterr().out
    assert "pivot to clicks" in told
    assert "2 reviews in a row speak for a pivot to clicks." in told
    assert "reviews/ads-ctr/2026-01-21/review.html" in told
    monkeypatch.setattr(
        "sys.argv", ["driftloop", "review", "ads_ctr", "--out", str(tmp_path / "no")]
    )
    with pytest.raises(SystemExit) as done:
        cli.main()
    assert done.value.code == 2
    assert "one with served rows" in capsys.readouterr().err


def test_a_run_too_young_for_a_period_shows_it_and_decides_nothing(
    store: FileStore, content: dict[str, Any]
) -> None:
    case = declaration(content, CLICK)
    found = steps.written(case, store, from_text("2026-01-10T00:00:00Z"))
    assert found.decision is None
    assert "No period is over" in found.record["evidence"][0]
    assert store.list(found.prefix) == [f"{found.prefix}review.html", f"{found.prefix}review.json"]
    with pytest.raises(InvalidInput, match="mature for at least one served row"):
        steps.judged(case, store, from_text("2026-01-01T12:00:00Z"))


def test_what_came_from_outside_is_escaped(store: FileStore, content: dict[str, Any]) -> None:
    bad = CLICK | {"kpi": CLICK["kpi"] | {"name": "<script>x", "unit": "<i>"}}
    found = steps.judged(declaration(content, bad, target=0.5), store)
    html = steps.review_page.render(found.record)
    assert "<script>" not in html
    assert "<i>" not in html


def without_outcomes(store: FileStore, since: str, label: str = "") -> None:
    """Remove what was known from a day on, of one label or of all."""
    for key in store.list("outcomes/"):
        if Path(key).stem >= since:
            rest = parquet.load(store.get(key))
            rest = rest[rest["label"] != label] if label else rest.iloc[:0]
            store.put(key, parquet.dump(rest))


@pytest.mark.parametrize("absent", ["unknown", "negative"])
@pytest.mark.parametrize(("since", "number"), [("2026-01-12", 1), ("2026-01-27", 2)])
def test_an_outage_of_outcomes_ends_nothing(
    store: FileStore, content: dict[str, Any], absent: str, since: str, number: int
) -> None:
    labels = [{"name": "clicked", "maturity": "1d", "absent": absent}]
    data = content["spec"]["data"] | {"labels": labels}
    given = content | {"spec": content["spec"] | {"data": data}}
    # Serving costs less than the whole brings, and more than the part that is known.
    costs = {"thousandPredictions": "150 EUR"}
    case = declaration(given, CLICK, reviews=1, costs=costs)
    assert steps.judged(case, store).record["decision"] == "continue"
    without_outcomes(store, since)
    record = steps.judged(case, store).record
    assert (record["decision"], record["look"]["judged"]) == ("continue", False)
    assert record["periods"][number - 1]["coverage"] < 0.95


def test_a_period_without_any_outcome_is_told(store: FileStore, content: dict[str, Any]) -> None:
    without_outcomes(store, "2026-01-20")
    record = steps.judged(declaration(content, CLICK), store).record
    assert [one["number"] for one in record["periods"]] == [1]
    assert record["evidence"][-1] == "Period 2 is not judged: no outcome of it is known."


def test_an_outage_of_another_priced_label_ends_nothing(
    store: FileStore, content: dict[str, Any]
) -> None:
    terms = {"prices": {"won": "0.5 EUR"}, "costs": {"thousandPredictions": "250 EUR"}}
    labels = [{"name": name, "maturity": "1d"} for name in ("clicked", "won")]
    data = content["spec"]["data"] | {"labels": labels}
    given = content | {"spec": content["spec"] | {"data": data}}
    case = declaration(given, CLICK, reviews=1, **terms)
    assert steps.judged(case, store).record["decision"] == "continue"
    without_outcomes(store, "2026-01-30", "won")
    record = steps.judged(case, store).record
    assert (record["decision"], record["look"]["judged"]) == ("continue", False)


def test_a_review_asks_for_the_charters_target(store: FileStore, content: dict[str, Any]) -> None:
    found = steps.judged(declaration(content, CLICK, charter={"kpi": 0.9}), store)
    assert found.record["target"] == 0.9
    assert found.decision is not None
    assert found.decision.look.kpi == "short"
    assert any("the target of 0.9" in sentence for sentence in found.record["evidence"])


def test_a_run_that_failed_costs_too_and_a_broken_verdict_is_told(
    store: FileStore, content: dict[str, Any]
) -> None:
    case = declaration(content, CLICK, costs={"training": "2 EUR"})
    failed = {"verdict": "failed", "version": "", "reasons": ["too few rows"], "data_end": None}
    later = failed | {"cutoff": "2026-01-25T00:00:00Z"}
    for number, record in ((2, failed), (3, later), (10, failed)):
        key = f"retrainings/ads-ctr/ads-ctr-{number}/verdict.json"
        store.put(key, json.dumps(record).encode())
    store.put("retrainings/ads-ctr/ads-ctr-4/verdict.json", b"{half")
    record = steps.judged(case, store).record
    # The 2nd with the 1st, which says when it ran, and the 10th with the 3rd.
    assert [one["compute_cost"] for one in record["periods"]] == [4.0, 4.0, 0.0]
    told = [one for one in record["evidence"] if "ads-ctr-4/verdict.json is not counted" in one]
    assert len(told) == 1


def test_trainings_of_which_nobody_knows_when_are_told(
    store: FileStore, content: dict[str, Any]
) -> None:
    failed = {"verdict": "failed", "version": "", "reasons": [], "data_end": None}
    store.put("retrainings/ads-ctr/ads-ctr-1/verdict.json", json.dumps(failed).encode())
    record = steps.judged(declaration(content, CLICK, costs={"training": "2 EUR"}), store).record
    assert record["periods"][0]["compute_cost"] == 0
    assert record["evidence"][-1].startswith("Of 1 trainings nobody knows when they ran")


def test_a_price_of_nothing_is_refused(store: FileStore, content: dict[str, Any]) -> None:
    case = declaration(content, CLICK, prices={"clickd": "0.5 EUR"})
    with pytest.raises(InvalidInput, match="'clickd' in business.prices or a formula"):
        steps.judged(case, store)


@pytest.mark.parametrize(
    ("column", "until", "said"),
    [
        ("propensity", "2026-01-21", "must be a probability above 0, at most 1. Got 0.0."),
        ("propensity_clicks", "2026-01-21", "one that takes an action of the log"),
    ],
)
def test_a_log_that_tells_nothing_of_an_alternative_spoils_no_review(
    store: FileStore, content: dict[str, Any], column: str, until: str, said: str
) -> None:
    for key in store.list("inference/"):
        if "date=2026-01-" in key and key.partition("date=")[2] < until:
            store.put(key, parquet.dump(parquet.load(store.get(key)).assign(**{column: 0.0})))
    case = declaration(content, WON, alternatives=[CLICK])
    first = steps.judged(case, store, from_text("2026-01-23T00:00:00Z")).record
    (promise,) = first["promises"]
    (fault,) = promise["faults"]
    assert fault.startswith("Not judged: ")
    assert said in fault
    assert (promise["gain"]["value"], promise["mean_weight"]) == (None, None)
    assert f"clicks is not judged: {fault.removeprefix('Not judged: ')}" in first["evidence"]
    assert json.loads(json.dumps(first, allow_nan=False)) == first
    assert "Not judged" in steps.review_page.render(first)
    # The period after it is judged as ever.
    assert steps.judged(case, store).record["promises"][0]["faults"] == []


def test_what_an_unfinished_period_promises_is_not_asked(
    store: FileStore, content: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, of_rows = [], steps.promise.of_rows
    monkeypatch.setattr(
        steps.promise, "of_rows", lambda *a, **k: asked.append(1) or of_rows(*a, **k)
    )
    assert len(steps.judged(declaration(content, CLICK), store).record["periods"]) == 3
    assert len(asked) == 2
