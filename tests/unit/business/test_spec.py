"""What loop.yaml may say of the business, and that what it said before is still read."""

from __future__ import annotations

from typing import Any

import pytest
from business_case import business, objective
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from driftloop import loop, money
from driftloop.features import logged
from driftloop.loop import LearningLoop
from driftloop.money import Amount
from driftloop.spec.business import Business
from driftloop_contracts.errors import InvalidInput


def test_a_period_alone_is_enough(ads: LearningLoop) -> None:
    found = ads.spec.business
    assert (found.currency, found.target, found.reviews, found.least_profit) == ("", None, 2, 0.0)
    assert Business.model_validate({"period": "6h"}).resample == "entity"


def test_what_is_declared_comes_back(content: dict[str, Any]) -> None:
    kpi = {"name": "win_rate", "formula": "won / impressions", "unit": "ratio"}
    other = objective("impressions", "won", kpi=kpi).model_dump(by_alias=True, mode="json")
    given_ = {
        "period": "30d", "prices": {"clicked": "0.5 EUR", "impression": "0.001 EUR"},
        "costs": {"training": "2 EUR"}, "target": 0.05, "floor": "-10 EUR",
        "alternatives": [other],
    }  # fmt: skip
    charter = content["spec"]["charter"] | {"target": None}
    spec = content["spec"] | {"business": given_, "charter": charter}
    case = loop.parse(content | {"spec": spec}, "loop.yaml")
    found = case.spec.business
    assert found.prices["impression"] == Amount(0.001, "EUR")
    assert (found.currency, found.least_profit) == ("EUR", -10.0)
    told = case.model_dump(by_alias=True, mode="json")
    assert loop.parse(told, "the order's spec") == case


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"prices": {"clicked": 0.5}}, "an amount with its currency"),
        ({"prices": {"clicked": "0.5"}}, "an amount with its currency"),
        ({"prices": {"clicked": "1e400 EUR"}}, "an amount with its currency"),
        ({"prices": {"a b": "1 EUR"}}, "by the names of columns"),
        ({"floor": "0 USD"}, "amounts of one currency"),
        ({"period": "0d"}, "a period above 0s"),
        ({"period": "99999999d"}, "a period above 0s and at most 3650d"),
        ({"alpha": "60%"}, "an alpha above 0%"),
        ({"alpha": "0%"}, "an alpha above 0%"),
        ({"confidence": "100%"}, "a confidence"),
        ({"reviews": 0}, "greater than or equal to 1"),
        ({"resample": "days", "block": "40d"}, "a block above 0s and at most the period"),
        ({"target": float("nan")}, "finite"),
        ({"revenue": 1}, "revenue"),
        ({"alternatives": [objective().model_dump()] * 2}, "of different names"),
        (
            {"alternatives": [objective(name).model_dump() for name in ("a-b", "a_b")]},
            "do not share the column 'propensity_a_b'",
        ),
        ({"costs": {"training": "-2 EUR"}}, "a cost of at least 0"),
        ({"costs": {"thousandPredictions": "-0.01 EUR"}}, "a cost of at least 0"),
        ({"costs": {"label": "-1 EUR"}}, "a cost of at least 0"),
    ],
)
def test_nonsense_is_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        business(**terms)


def test_a_refusal_is_one_sentence(content: dict[str, Any]) -> None:
    spec = content["spec"] | {"business": {"period": "30d", "prices": {"clicked": "0.5"}}}
    with pytest.raises(InvalidInput) as refused:
        loop.parse(content | {"spec": spec}, "loop.yaml")
    assert str(refused.value) == (
        "spec.business.prices.clicked in loop.yaml must be an amount with its currency such as "
        "'0.5 EUR'. Got '0.5'."
    )


def with_targets(content: dict[str, Any], charter: Any, older: Any) -> LearningLoop:
    told = content["spec"]["charter"] | {"target": charter}
    business_ = {"period": "30d"} | ({"target": older} if older is not None else {})
    spec = content["spec"] | {"charter": told, "business": business_}
    return loop.parse(content | {"spec": spec}, "loop.yaml")


@pytest.mark.parametrize(
    ("charter", "older", "target"),
    [
        ({"kpi": 0.05}, None, 0.05),
        ({"kpi": 0.05}, 0.05, 0.05),
        (None, 0.2, 0.2),
        ({"metric": 0.3}, 0.2, 0.2),
        ({"metric": 0.3}, None, None),
        (None, None, None),
    ],
)
def test_the_charters_target_is_the_one(
    content: dict[str, Any], charter: Any, older: Any, target: float | None
) -> None:
    spec = with_targets(content, charter, older).spec
    assert (spec.kpi_target, spec.terms.target) == (target, target)


def test_two_targets_are_refused(content: dict[str, Any]) -> None:
    said = "one target of the KPI: charter.target.kpi is 0.1, and business.target, .* 0.2"
    with pytest.raises(InvalidInput, match=said):
        with_targets(content, {"kpi": 0.1}, 0.2)


def test_an_alternative_named_like_the_objective_is_refused(content: dict[str, Any]) -> None:
    name = content["spec"]["objective"]["name"]
    other = objective(name, "won").model_dump(by_alias=True, mode="json")
    terms = {"period": "30d", "alternatives": [other]}
    with pytest.raises(InvalidInput, match=f"other names than the objective's, '{name}'"):
        loop.parse(content | {"spec": content["spec"] | {"business": terms}}, "loop.yaml")


@given(st.decimals(-1_000_000, 1_000_000, places=6), st.sampled_from(["EUR", "USD", "JPY"]))
def test_money_is_read_as_it_is_written(value: Any, currency: str) -> None:
    amount = Amount(float(value), currency)
    assert money.parse(money.show(amount)) == amount


def test_propensities_are_columns_of_their_own(content: dict[str, Any]) -> None:
    other = objective("mail-first", "won").model_dump(by_alias=True, mode="json")
    spec = content["spec"] | {"business": {"period": "30d", "alternatives": [other]}}
    case = loop.parse(content | {"spec": spec}, "loop.yaml")
    assert case.spec.business.propensities == ("propensity", "propensity_mail_first")
    column = {"name": "propensity_mail_first", "kind": "numeric", "origin": "request"}
    features = spec["features"] | {"columns": [*spec["features"]["columns"], column]}
    with pytest.raises(InvalidInput, match="other names than 'propensity_mail_first'"):
        loop.parse(content | {"spec": spec | {"features": features}}, "loop.yaml")


def test_an_alternative_of_any_name_has_a_column(content: dict[str, Any]) -> None:
    other = objective("Mail, 1st", "won").model_dump(by_alias=True, mode="json")
    spec = content["spec"] | {"business": {"period": "30d", "alternatives": [other]}}
    case = loop.parse(content | {"spec": spec}, "loop.yaml")
    named = [column.name for column in logged.columns(case)]
    assert named[-2:] == ["propensity", "propensity_Mail, 1st"]


def test_a_predictor_logs_the_propensities_that_its_bundle_names(content: dict[str, Any]) -> None:
    other = objective("mail-first", "won").model_dump(by_alias=True, mode="json")
    spec = content["spec"] | {"business": {"period": "30d", "alternatives": [other]}}
    case = loop.parse(content | {"spec": spec}, "loop.yaml")
    before = [column.name for column in case.spec.features.columns]
    assert [*logged.kinds(case, before)] == before
    now = [*before, "propensity", "propensity_mail_first"]
    assert [*logged.kinds(case, now)] == now
    assert not any(c.monitored for c in logged.columns(case)[len(before) :])
    # The bundle is of another day: its alternative is no longer, or not yet, in this image.
    alone = loop.parse(content, "loop.yaml")
    assert logged.kinds(alone, now)["propensity_mail_first"] == "numeric"
