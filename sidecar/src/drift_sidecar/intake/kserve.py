"""KServe: what its payload logger sends, one event for a request and one for its response.

Source: kserve pkg/logger. Both events share source and id and carry the content type that the
predictor's caller happened to send; the order of the two is not given, and only answers with
status 200 have a response event.
"""

from __future__ import annotations

from drift_sidecar.intake import choice, columns, payload, v1, v2
from drift_sidecar.intake.columns import Instances, Layout
from driftloop_contracts.errors import InvalidInput

REQUEST = "org.kubeflow.serving.inference.request"
RESPONSE = "org.kubeflow.serving.inference.response"
TYPES = (REQUEST, RESPONSE)


def instances(data: object, layout: Layout, said: str | None = None) -> Instances:
    """Return the instances in a request's body, V1 or V2; raise InvalidInput for neither.

    ``said``: the JSON's length as the body's header has it.
    """
    content, rest = payload.read(data, columns.WHERE, said)
    if "inputs" in content:
        return v2.instances((content, rest), layout)
    _whole(rest, columns.WHERE)
    return v1.instances(content, layout)


def predictions(data: object, chosen: str, said: str | None = None) -> list[float | None]:
    """Return one number for each instance that a response's body answers.

    ``chosen``: which number where there are several; ``said`` as above.
    """
    content, rest = payload.read(data, choice.WHERE, said)
    if "outputs" in content:
        return v2.predictions((content, rest), chosen)
    _whole(rest, choice.WHERE)
    return v1.predictions(content, chosen)


def _whole(rest: bytes, where: str) -> None:
    if rest:
        raise InvalidInput("the body", where, "JSON with nothing behind it", rest[:40])
