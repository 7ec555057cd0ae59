"""Runs of the training pipeline on a Kubeflow Pipelines server: one run for one name.

KFP has no idempotency key, so a run is looked for by its name before it is created, and again
after: whoever created a second one sees both. The oldest counts, the others are ended, so all
who look agree.

Source: KFP 2.17, backend/src/apiserver/resource/resource_manager.go (CreateRun) and the SDK's
client; run states are kfp_server_api's V2beta1RuntimeState.
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

SERVER = "Kubeflow Pipelines"
ENDED = {"SUCCEEDED": "succeeded", "SKIPPED": "failed", "FAILED": "failed", "CANCELED": "cancelled"}
"""KFP's final states; every other one means that the run goes on."""


@dataclass(frozen=True)
class Run:
    """A run: ``state`` is running, succeeded, failed or cancelled; ``message`` says why."""

    id: str
    state: str
    message: str = ""
    url: str = ""


class KfpRuns:
    """The runs of the compiled pipeline ``package`` in one experiment.

    ``connect`` returns KFP's client; it is called by the first call that needs one, since that
    client speaks to the server as soon as it is made. Every call may raise Unavailable.
    """

    def __init__(
        self, connect: Callable[[], Any], package: Path, experiment: str, *, namespace: str = ""
    ) -> None:
        self._connect, self._package = connect, package
        self._experiment, self._namespace = experiment, namespace or None

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    def ensure(self, name: str, image: str, parameters: Mapping[str, str]) -> Run:
        """Return the run ``name``, created with ``parameters`` if there is none yet."""
        found = self.find(name)
        if found is not None:
            return found
        with answering(SERVER, ApiException):
            created = self._create(name, image, parameters)
        return self.find(name) or created

    def find(self, name: str) -> Run | None:
        """Return the oldest run of that name, and end any other that goes on."""
        with answering(SERVER, ApiException):
            runs = self._named(name)
        for other in runs[1:]:
            if other.state == "running":
                self.end(other.id)
        return runs[0] if runs else None

    def get(self, run_id: str) -> Run | None:
        """Return the run, or None where the server knows it no more."""
        with answering(SERVER, ApiException):
            try:
                return self._run(self._client.get_run(run_id))
            except ApiException as error:
                if error.status == 404:
                    return None
                raise

    def end(self, run_id: str) -> None:
        """Terminate the run."""
        with answering(SERVER, ApiException):
            self._client.terminate_run(run_id)

    def _create(self, name: str, image: str, parameters: Mapping[str, str]) -> Run:
        experiment = self._client.create_experiment(self._experiment, namespace=self._namespace)
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

    def _named(self, name: str) -> list[Run]:
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
        answer = self._client.list_runs(
            page_size=20,
            sort_by="created_at asc",
            namespace=self._namespace,
            filter=json.dumps({"predicates": [predicate]}),
        )
        return [self._run(run) for run in answer.runs or []]

    def _run(self, run: Any) -> Run:
        state = ENDED.get(str(run.state or ""), "running")
        message = str(getattr(run.error, "message", "") or "")
        return Run(run.run_id, state, message, self._url(run.run_id))

    def _url(self, run_id: str) -> str:
        host = getattr(self._client, "_get_url_prefix", lambda: "")()
        return f"{host}/#/runs/details/{run_id}" if host else ""


def of_server(host: str, token: str, package: Path, *, namespace: str = "") -> KfpRuns:
    """Return the runs of the server at ``host``, in the experiment 'driftloop'.

    ``token``: file of a projected ServiceAccount token, read again as it is renewed ('': none).
    """

    def connect() -> Any:
        import kfp
        from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

        credentials = ServiceAccountTokenVolumeCredentials(token) if token else None
        return kfp.Client(host=host, credentials=credentials)

    return KfpRuns(connect, package, "driftloop", namespace=namespace)


def with_image(package: str, image: str) -> str:
    """Return the compiled pipeline with every step in ``image`` ('': as it was compiled)."""
    documents = list(yaml.safe_load_all(package))
    if image:
        for executor in documents[0]["deploymentSpec"]["executors"].values():
            executor["container"]["image"] = image
    return yaml.safe_dump_all(documents, sort_keys=False)
