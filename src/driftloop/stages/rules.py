"""Rules: when a stage sends the loop back, and where to.

Each rule is written down once, here; the core that finds its condition true says why by
``Rule.returned``. docs/stages.md explains them to a reader.
"""

from __future__ import annotations

from dataclasses import dataclass

from driftloop.stages.returned import Returned
from driftloop.stages.stage import Stage

_SCOPING, _DATA, _MODEL, _DEPLOYMENT, _MONITORING, _BUSINESS = Stage


@dataclass(frozen=True)
class Rule:
    """``when`` (a sentence) holds, ``source`` sends the loop back to ``target``."""

    name: str
    source: Stage
    target: Stage
    when: str

    def returned(self, reason: str) -> Returned:
        """Return what is told when the rule holds; ``reason``: the sentence with the numbers."""
        return Returned(self.source, self.target, self.name, reason)


_ALL = (
    Rule("out_of_reach", _DATA, _SCOPING, "The labels, the budget or the target are beyond reach."),
    Rule("contract_broken", _DATA, _SCOPING, "A source does not keep what it promised."),
    Rule("label_errors", _MODEL, _DATA, "More labels are wrong than the charter allows."),
    Rule("few_positives", _MODEL, _DATA, "Positives are so rare that the model says no to all."),
    Rule("unrepresentative", _MODEL, _DATA, "The training sample is not what the traffic is."),
    Rule("missing_feature", _MODEL, _DATA, "The errors lie where the model lacks a feature."),
    Rule("no_better", _MODEL, _SCOPING, "The model is not better than the best rule without ML."),
    Rule("breaker", _MODEL, _SCOPING, "Too many candidates in a row were not promoted."),
    Rule("stale_data", _DEPLOYMENT, _DATA, "The newest training day is older than it may be."),
    Rule("gate_refused", _DEPLOYMENT, _MODEL, "The gate refused the candidate."),
    Rule("withdrawn", _DEPLOYMENT, _MODEL, "A guardrail or a person sent the candidate back."),
    Rule("data_fault", _MONITORING, _DATA, "An upstream feature is broken."),
    Rule("data_drift", _MONITORING, _MODEL, "The inputs moved beyond the loop's budget."),
    Rule("concept_drift", _MONITORING, _MODEL, "Outcomes no longer follow the predictions."),
    Rule("pivot", _BUSINESS, _SCOPING, "The KPI falls short and another objective promises more."),
    Rule("end", _BUSINESS, _SCOPING, "The system costs more than it brings, and no pivot helps."),
)

RULES = {rule.name: rule for rule in _ALL}
"""Every rule by its name."""
