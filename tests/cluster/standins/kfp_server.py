"""A stand-in for Kubeflow Pipelines' API server that really runs the pipelines it is given.

``python kfp_server.py PORT FOLDER``. What it copies, from KFP 2.17 (backend/src/apiserver):
- POST /runs makes a new run each time, of the same name too: there is no idempotency key
  (resource/resource_manager.go, CreateRun);
- GET /runs answers an EQUALS predicate on display_name, oldest first for 'created_at asc';
- states PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED (api/v2beta1/run.proto);
- times are whole seconds, so runs of one second come in the order of their ids
  (storage/run_store.go, CreatedAtInSec; list/list.go);
- GET of an unknown run is a 404; ':terminate' of one that goes on makes it CANCELING, later
  CANCELED, and is a 400 for any other (storage/run_store.go, TerminateRun).
Left out: authentication, archiving, caching, recurring runs. A run's steps are processes of this
machine or, with KFP_NAMESPACE, of one pod of the image that the package names, with the Secrets
that its platform document lends (platform_spec, kubernetes_platform's secretAsEnv).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from kubernetes import client, config
from kubernetes.client.rest import ApiException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from urllib3.exceptions import HTTPError

API = "/apis/v2beta1"


class Server:
    """Runs in ``folder``, one JSON file each, so that they outlive this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for run in self.runs():
            if run["state"] in ("PENDING", "RUNNING"):
                self.change(run["run_id"], state="FAILED", error={"message": "the server ended"})

    def runs(self) -> list[dict[str, Any]]:
        found = [json.loads(path.read_text()) for path in self.folder.glob("*.json")]
        return sorted(found, key=lambda run: (run["created_at"], run["run_id"]))

    def get(self, run_id: str) -> dict[str, Any] | None:
        return next((run for run in self.runs() if run["run_id"] == run_id), None)

    def change(self, run_id: str, **changed: Any) -> None:
        path = self.folder / f"{run_id}.json"
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(json.loads(path.read_text()) | changed))
        draft.replace(path)

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        run_id = str(uuid.uuid4())
        run = {
            "run_id": run_id,
            "display_name": asked["display_name"],
            "experiment_id": asked.get("experiment_id", ""),
            "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "state": "PENDING",
        }
        (self.folder / f"{run_id}.json").write_text(json.dumps(run))
        threading.Thread(target=self.execute, args=(run_id, asked), daemon=True).start()
        return run

    def execute(self, run_id: str, asked: dict[str, Any]) -> None:
        spec = asked["pipeline_spec"]
        documents = [spec.get("pipeline_spec", spec), spec.get("platform_spec")]
        package = self.folder / f"{run_id}.yaml"
        package.write_text(yaml.safe_dump_all([d for d in documents if d], sort_keys=False))
        given = json.dumps(asked.get("runtime_config", {}).get("parameters", {}))
        run = self.in_a_pod if os.environ.get("KFP_NAMESPACE") else self.as_a_process
        code = run(run_id, package, given)
        if (self.get(run_id) or {}).get("state") == "RUNNING":
            error = {} if code == 0 else {"error": {"message": "a step failed"}}
            self.change(run_id, state="FAILED" if code else "SUCCEEDED", **error)

    def as_a_process(self, run_id: str, package: Path, given: str) -> int:
        module = [sys.executable, "-m", "driftloop.adapters.local_pipeline"]
        with (self.folder / f"{run_id}.log").open("wb") as log:
            process = subprocess.Popen(
                [*module, str(package), str(self.folder / run_id), given],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self.processes[run_id] = process
            self.change(run_id, state="RUNNING")
            return process.wait()

    def in_a_pod(self, run_id: str, package: Path, given: str) -> int:
        """Run the package in one pod and return 0 when it succeeded."""
        config.load_kube_config()
        core, namespace, name = client.CoreV1Api(), os.environ["KFP_NAMESPACE"], f"run-{run_id}"
        held = {"metadata": {"name": name}, "data": {"pipeline.yaml": package.read_text()}}
        _patiently(lambda: core.create_namespaced_config_map(namespace, held))
        _patiently(lambda: core.create_namespaced_pod(namespace, _pod(name, package, given)))
        self.change(run_id, state="RUNNING")
        while True:
            phase = _patiently(lambda: core.read_namespaced_pod(name, namespace)).status.phase
            if phase in ("Succeeded", "Failed"):
                log = _patiently(lambda: core.read_namespaced_pod_log(name, namespace))
                (self.folder / f"{run_id}.log").write_text(log)
                return 0 if phase == "Succeeded" else 1
            time.sleep(0.5)

    def terminate(self, run_id: str) -> None:
        self.change(run_id, state="CANCELING")
        process = self.processes.get(run_id)
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        threading.Timer(1, self.change, (run_id,), {"state": "CANCELED"}).start()


def _patiently(call: Callable[[], Any]) -> Any:
    """Return what the API server answers, however long it is away; what exists already is made."""
    while True:
        try:
            return call()
        except ApiException as error:
            if error.status == 409:
                return None
        except HTTPError:
            pass
        time.sleep(0.5)


def _pod(name: str, package: Path, given: str) -> dict[str, Any]:
    spec, platform = yaml.safe_load_all(package.read_text())
    (image,) = {e["container"]["image"] for e in spec["deploymentSpec"]["executors"].values()}
    lent = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    keys = {
        key["envVar"]: {"name": s["secretName"], "key": key["secretKey"], "optional": s["optional"]}
        for executor in lent
        for s in executor["secretAsEnv"]
        for key in s["keyToEnv"]
    }
    secrets = [{"name": e, "valueFrom": {"secretKeyRef": ref}} for e, ref in keys.items()]
    module = ["python", "-m", "driftloop.adapters.local_pipeline"]
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*module, "/pipeline/pipeline.yaml", "/tmp/root", given],
        "env": [{"name": "HOME", "value": "/tmp"}, *secrets],
        "volumeMounts": [{"name": "pipeline", "mountPath": "/pipeline"}],
    }
    volume = {"name": "pipeline", "configMap": {"name": name}}
    return {
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [container], "volumes": [volume]},
    }


def create_app(server: Server) -> Starlette:
    experiment = {"experiment_id": "1", "display_name": "driftloop", "namespace": ""}

    async def healthz(_: Request) -> JSONResponse:
        return JSONResponse({"multi_user": False})

    async def experiments(request: Request) -> JSONResponse:
        listed = {"experiments": [experiment]}
        return JSONResponse(listed if request.method == "GET" else experiment)

    async def runs(request: Request) -> JSONResponse:
        if request.method == "POST":
            return JSONResponse(server.create(await request.json()))
        (asked,) = json.loads(request.query_params["filter"])["predicates"]
        if (asked["operation"], asked["key"]) != ("EQUALS", "display_name"):
            return JSONResponse({"error": f"cannot filter by {asked}"}, 400)
        named = [r for r in server.runs() if r["display_name"] == asked["stringValue"]]
        return JSONResponse({"runs": named, "total_size": len(named)})

    async def run(request: Request) -> JSONResponse:
        run_id, _, verb = request.path_params["run"].partition(":")
        found = server.get(run_id)
        if found is None:
            return JSONResponse({"error": "Run not found"}, 404)
        if verb == "terminate":
            if found["state"] not in ("PENDING", "RUNNING"):
                return JSONResponse({"error": "Row not found"}, 400)
            server.terminate(run_id)
            return JSONResponse({})
        if request.method == "DELETE":
            (server.folder / f"{run_id}.json").unlink()
            return JSONResponse({})
        return JSONResponse(found)

    return Starlette(
        routes=[
            Route(f"{API}/healthz", healthz),
            Route(f"{API}/experiments", experiments, methods=["GET", "POST"]),
            Route(f"{API}/runs", runs, methods=["GET", "POST"]),
            Route(f"{API}/runs/{{run}}", run, methods=["GET", "POST", "DELETE"]),
        ]
    )


if __name__ == "__main__":
    app = create_app(Server(Path(sys.argv[2])))
    uvicorn.run(
        app,
        host=os.environ.get("KFP_HOST", "127.0.0.1"),
        port=int(sys.argv[1]),
        log_level="warning",
    )
