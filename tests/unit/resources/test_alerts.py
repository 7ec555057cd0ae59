"""Alerts and panels speak of metrics that exist; alerts say what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftloop.services.controller.metrics import Metrics

ROOT = Path(__file__).parents[3]
RULES = yaml.safe_load((ROOT / "manifests/components/monitoring/alerts.yaml").read_text())
ALERTS: list[dict[str, Any]] = RULES["spec"]["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads(
    (ROOT / "manifests/components/monitoring/dashboard.json").read_text()
)["panels"]
EXPRESSIONS = {alert["alert"]: alert["expr"] for alert in ALERTS}
EXPRESSIONS |= {panel["title"]: panel["targets"][0]["expr"] for panel in PANELS}
KSERVE = {"request_predict_seconds_bucket"}
SIDECAR = (ROOT / "sidecar/src/drift_sidecar/metrics.py").read_text()
RECEIVER = (ROOT / "src/driftloop/services/receiver/app.py").read_text()
CONTROLLER = {family.name for family in Metrics().registry.collect()}


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_an_expression_speaks_of_metrics_that_exist(title: str) -> None:
    names = re.findall(r"\b(driftloop|request)_([a-z_]+)", EXPRESSIONS[title])
    assert names
    for prefix, name in names:
        service, _, bare = name.removesuffix("_total").partition("_")
        if prefix == "request":
            assert f"request_{name}" in KSERVE
        elif service == "sidecar":
            assert f'    "{bare}": ' in SIDECAR or f'{{"{bare}": ' in SIDECAR
        elif service == "controller":
            assert f"driftloop_controller_{bare}" in CONTROLLER
        else:
            assert f'"driftloop_receiver_{bare}"' in RECEIVER


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_outcomes_that_an_alert_names_are_counted(alert: dict[str, Any]) -> None:
    admission = (ROOT / "src/driftloop/services/receiver/admission.py").read_text()
    tokens = (ROOT / "src/driftloop/services/receiver/tokens.py").read_text()
    for listed in re.findall(r'outcome=~"([a-z|]+)"', alert["expr"]):
        for outcome in listed.split("|"):
            assert f', "{outcome}",' in RECEIVER + admission + tokens


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["annotations"]["runbook"].endswith(".")
    assert alert["labels"]["severity"] in ("critical", "warning")
