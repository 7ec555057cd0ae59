"""Objects of the API server as plain JSON, by kind, namespace and name."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from kubernetes import client, config
from kubernetes.client.rest import ApiException

from driftloop.adapters.unavailable import Unavailable, answering

Object = dict[str, Any]

FIELD_MANAGER = "driftloop-controller"
PATHS = {
    "LearningLoop": "apis/driftloop.io/v1alpha1/namespaces/{namespace}/learningloops",
    "Retraining": "apis/driftloop.io/v1alpha1/namespaces/{namespace}/retrainings",
    "LoopEvent": "apis/driftloop.io/v1alpha1/namespaces/{namespace}/loopevents",
    "InferenceService": "apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices",
    "PodDisruptionBudget": "apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
    "CronJob": "apis/batch/v1/namespaces/{namespace}/cronjobs",
    "Service": "api/v1/namespaces/{namespace}/services",
    "EndpointSlice": "apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
    "HTTPRoute": "apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes",
    "Event": "api/v1/namespaces/{namespace}/events",
    "TokenReview": "apis/authentication.k8s.io/v1/tokenreviews",
    "SubjectAccessReview": "apis/authorization.k8s.io/v1/subjectaccessreviews",
    "Deployment": "apis/apps/v1/namespaces/{namespace}/deployments",
}
"""Where each kind that Driftloop touches lies; no discovery, so no right to discover is needed."""


class Absent(KeyError):
    """There is no such object."""


class Stale(Exception):
    """The object changed since it was read, or exists already: read it again."""


class Objects:
    """The API server; every call may raise Unavailable."""

    def __init__(self, api: client.ApiClient | None = None) -> None:
        self._api = api or _connected()

    def get(self, kind: str, namespace: str, name: str) -> Object:
        """Return the object; raise Absent."""
        return self._call("GET", _path(kind, namespace, name))

    def list(self, kind: str, namespace: str = "", selector: str = "") -> list[Object]:
        """Return the objects with these labels (namespace '': of all namespaces)."""
        query = [("labelSelector", selector)] if selector else []
        items: list[Object] = self._call("GET", _path(kind, namespace), query=query)["items"]
        return items

    def create(self, kind: str, namespace: str, content: Object) -> Object:
        """Create the object; raise Stale where one of its name exists."""
        return self._call("POST", _path(kind, namespace), content)

    def replace_status(self, kind: str, namespace: str, content: Object) -> Object:
        """Write the status of exactly the version in ``content``; raise Stale, Absent."""
        path = _path(kind, namespace, content["metadata"]["name"])
        return self._call("PUT", f"{path}/status", content)

    def apply(
        self, kind: str, namespace: str, content: Object, manager: str = FIELD_MANAGER
    ) -> Object:
        """Make the fields in ``content`` so (server-side apply); those of other managers stay."""
        path = _path(kind, namespace, content["metadata"]["name"])
        query = [("fieldManager", manager), ("force", "true")]
        return self._call("PATCH", path, content, query, "application/apply-patch+yaml")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete the object; one that is absent is as good as deleted."""
        with suppress(Absent):
            self._call("DELETE", _path(kind, namespace, name))

    def version(self) -> str:
        """Return the API server's version."""
        return str(self._call("GET", "/version")["gitVersion"])

    def kinds(self, group: str, version: str) -> set[str]:
        """Return the kinds of a group that the API server lists, none while it starts."""
        groups = {found["name"] for found in self._call("GET", "/apis")["groups"]}
        if group not in groups:
            return set()
        with suppress(Absent):
            listed = self._call("GET", f"/apis/{group}/{version}")["resources"]
            return {resource["kind"] for resource in listed}
        return set()

    def _call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> Object:
        with answering("The API server", ApiException):
            try:
                found: Object = self._api.call_api(
                    path,
                    method,
                    query_params=list(query),
                    header_params={"Accept": "application/json", "Content-Type": content_type},
                    body=body,
                    response_type="object",
                    auth_settings=["BearerToken"],
                    _return_http_data_only=True,
                    _request_timeout=(5, 30),
                )
            except ApiException as error:
                if error.status == 404:
                    raise Absent(path) from None
                if error.status == 409:
                    raise Stale(f"{path} changed since it was read, or exists") from None
                raise
        return found


def _path(kind: str, namespace: str, name: str = "") -> str:
    path = PATHS[kind] if namespace else PATHS[kind].replace("namespaces/{namespace}/", "")
    folder = "/" + path.format(namespace=namespace)
    return f"{folder}/{name}" if name else folder


def _connected() -> client.ApiClient:
    """Return a client of the cluster this runs in, else of the kubeconfig's."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            raise Unavailable(f"No cluster is configured: {error}") from error
    return client.ApiClient()
