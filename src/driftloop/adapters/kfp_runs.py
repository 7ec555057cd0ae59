"""Runs of a compiled pipeline on a Kubeflow Pipelines server, by name.

KFP has no idempotency key, two runs may have one name, and their times are whole seconds: nothing
here decides which of two counts. Whoever starts runs writes the id of one where only one writer
wins (pipeline_run.py) and ends the others.

Source: KFP 2.17, backend/src/apiserver/resource/resource_manager.go (CreateRun, TerminateRun) and
the SDK's client; run states are kfp_server_api's V2beta1RuntimeState.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kfp_server_api.exceptions import ApiException

from driftloop.adapters.unavailable import answering

SERVER, EXPERIMENT = "Kubeflow Pipelines", "driftloop"
STATES = {
    "SUCCEEDED": "succeeded",
    "SKIPPED": "failed",
    "FAILED": "failed",
    "CANCELED": "cancelled",
    "CANCELING": "ending",
}
"""Ours for KFP's; every other one of KFP's means that the run goes on."""


@dataclass(frozen=True)
class Run:
    """A run: ``state`` is running, ending, succeeded, failed or cancelled; ``message`` says why."""

    id: str
    state: str
    message: str = ""
    url: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.state not in ("running", "ending")


class KfpRuns:
    """The runs of the compiled pipeline ``package``.

    ``connect`` returns KFP's client; it is called by the first call that needs one, since that
    client speaks to the server as soon as it is made. ``multi_user``: steps run in the namespace
    that a run is for; else all runs' steps are in KFP's own. Every call may raise Unavailable.
    """

    def __init__(
        self, connect: Callable[[], Any], package: Path, *, multi_user: bool = False
    ) -> None:
        self._connect, self._package, self._multi_user = connect, package, multi_user

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    def create(self, namespace: str, name: str, image: str, parameters: Mapping[str, str]) -> Run:
        """Return a new run ``name``, whether or not there is one already."""
        with answering(SERVER, ApiException):
            return self._create(self._owner(namespace), name, image, parameters)

    def named(self, namespace: str, name: str) -> list[Run]:
        """Return the runs of that name."""
        with answering(SERVER, ApiException):
            return self._named(self._owner(namespace), name)

    def end(self, run_id: str) -> None:
        """Terminate the run; one that goes on no more is as good as ended."""
        with answering(SERVER, ApiException):
            try:
                self._client.terminate_run(run_id)
            except ApiException as error:
                # Not found, or nothing that could be cancelled.
                if error.status not in (400, 404):
                    raise

    def _owner(self, namespace: str) -> str | None:
        return namespace if self._multi_user else None

    def _create(
        self, owner: str | None, name: str, image: str, parameters: Mapping[str, str]
    ) -> Run:
        experiment = self._client.create_experiment(EXPERIMENT, namespace=owner)
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "pipeline.yaml"
            package.write_text(with_image(self._package.read_text(), image))
            created = self._client.run_pipeline(
                experiment.experiment_id,
                name,
                pipeline_package_path=str(package),
                params=dict(parameters),
                enable_caching=False,
            )
        return self._run(created)

    def _named(self, owner: str | None, name: str) -> list[Run]:
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        answer = self._client.list_runs(
            page_size=20,
            sort_by="created_at asc",
            namespace=owner,
            filter=json.dumps({"predicates": [predicate]}),
        )
        return [self._run(run) for run in answer.runs or []]

    def _run(self, run: Any) -> Run:
        state = STATES.get(str(run.state or ""), "running")
        message = str(getattr(run.error, "message", "") or "")
        return Run(run.run_id, state, message, self._url(run.run_id))

    def _url(self, run_id: str) -> str:
        host = getattr(self._client, "_get_url_prefix", lambda: "")()
        return f"{host}/#/runs/details/{run_id}" if host else ""


def of_server(host: str, token: str, package: Path, *, multi_user: bool = False) -> KfpRuns:
    """Return the runs of the server at ``host``.

    ``token``: file of a projected ServiceAccount token, read again as it is renewed ('': none).
    """

    def connect() -> Any:
        import kfp
        from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

        credentials = ServiceAccountTokenVolumeCredentials(token) if token else None
        return kfp.Client(host=host, credentials=credentials)

    return KfpRuns(connect, package, multi_user=multi_user)


def with_image(package: str, image: str) -> str:
    """Return the compiled pipeline with every step in ``image`` ('': as it was compiled)."""
    documents = list(yaml.safe_load_all(package))
    if image:
        for executor in documents[0]["deploymentSpec"]["executors"].values():
            executor["container"]["image"] = image
    return yaml.safe_dump_all(documents, sort_keys=False)
