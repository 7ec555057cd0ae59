"""The CloudEvent types that Driftloop speaks; docs/architecture.md lists them."""

INFERENCE = "io.driftloop.inference.v1"
"""Predictor to sidecar: a batch of inference records."""

WATERMARK = "io.driftloop.watermark.v1"
"""To the sidecar: no record older than ``data.event_time`` will follow; close its windows."""

WINDOW_SCORED = "io.driftloop.window.scored.v1"
"""Sidecar to controller: one window compared with the bundle's reference."""

DRIFT_DETECTED = "io.driftloop.drift.detected.v1"
"""Sidecar to controller: a window whose evidence is enough on its own."""

COHORT_SCORED = "io.driftloop.cohort.scored.v1"
"""Cohort job to controller: mature outcomes joined with their predictions."""

SHADOW_JUDGED = "io.driftloop.shadow.judged.v1"
"""Cohort job to controller: the gate's verdict on a bundle that nobody sees, on mature outcomes."""

DATA_FAULT = "io.driftloop.data.fault.v1"
"""Controller out: an upstream feature is broken; its rows are quarantined, a person is told."""

RETRAINING_OPENED = "io.driftloop.retraining.opened.v1"
"""Controller out: a Retraining began, with its causes."""

RETRAINING_ENDED = "io.driftloop.retraining.ended.v1"
"""Controller out: a Retraining ended, with its verdict and reasons."""

RETRAINING_DEFERRED = "io.driftloop.retraining.deferred.v1"
"""Controller out: a cause did not open a Retraining, with the reason."""

ROLLOUT_SHIFTED = "io.driftloop.rollout.shifted.v1"
"""Controller out: a bundle that passed the gate has a share of the traffic."""

ROLLOUT_WITHDRAWN = "io.driftloop.rollout.withdrawn.v1"
"""Controller out: a bundle gave its share of the traffic back, and why."""

ROLLOUT_PROMOTED = "io.driftloop.rollout.promoted.v1"
"""Controller out: all traffic is on a new bundle."""

STAGE_RETURNED = "io.driftloop.stage.returned.v1"
"""Any stage out: it sends the loop back to an earlier one, by which rule and why."""

REVIEWED = "io.driftloop.review.decided.v1"
"""Business review out: continue, pivot or end, with the evidence."""

ALL = (
    INFERENCE,
    WATERMARK,
    WINDOW_SCORED,
    DRIFT_DETECTED,
    COHORT_SCORED,
    SHADOW_JUDGED,
    DATA_FAULT,
    RETRAINING_OPENED,
    RETRAINING_ENDED,
    RETRAINING_DEFERRED,
    ROLLOUT_SHIFTED,
    ROLLOUT_WITHDRAWN,
    ROLLOUT_PROMOTED,
    STAGE_RETURNED,
    REVIEWED,
)
