"""Driftloop as a platform team installs it: on a cluster whose pods run."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from api_server import ROOT, Cluster

from driftloop_contracts.object_store import ObjectStore, open_store

SYSTEM = "driftloop-system"
PLATFORM, SIDECAR = "driftloop/platform", "driftloop/drift-sidecar"


class Installation(Cluster):
    """A cluster with KServe, pipelines, an object store and Redis.

    ``secret``: the keys that pods need; ``kfp``: the pipeline server's address for pods;
    ``bucket``: where every namespace has a folder.
    """

    def __init__(
        self, folder: Path, kubeconfig: Path, secret: dict[str, str], kfp: str, bucket: str
    ) -> None:
        super().__init__(folder, kubeconfig)
        self.secret, self.kfp, self.bucket = secret, kfp, bucket

    gateway = ""
    """Address of a gateway that splits traffic by HTTPRoutes; '' for none."""

    def images(self, tag: str) -> tuple[str, str]:
        """Return the platform's and the sidecar's image."""
        return f"{PLATFORM}:{tag}", f"{SIDECAR}:{tag}"

    def service(self, namespace: str, name: str) -> str:
        """Return the address of a Service, for calls from here."""
        path = "jsonpath={.spec.clusterIP}"
        return f"http://{self.must('get', 'service', '-n', namespace, name, '-o', path)}"

    def pipelines(self) -> str:
        """Return the pipeline server's address, for calls from here."""
        return self.kfp

    def store(self, namespace: str) -> ObjectStore:
        """Return the part of the bucket that the namespace's loops have."""
        return open_store(f"{self.bucket}/{namespace}", self.secret)

    def install(self, root: Path = ROOT, tag: str = "test", **more: str) -> None:
        """Apply a checkout's manifests with this cluster's settings and ``more``; await them."""
        overlay = self.folder / f"overlay-{tag}"
        overlay.mkdir()
        platform, sidecar = self.images(tag)
        settings = {
            "DRIFTLOOP_IMAGE": platform,
            "DRIFTLOOP_SIDECAR_IMAGE": sidecar,
            "DRIFTLOOP_STORE": self.bucket,
            "DRIFTLOOP_KFP": self.kfp,
            "DRIFTLOOP_TURN_SECONDS": "3",
            "DRIFTLOOP_SERVING_ENV": "DRIFTLOOP_EVENT_TIME=1 OMP_NUM_THREADS=1",
        } | more
        generator = {
            "name": "driftloop-settings",
            "namespace": SYSTEM,
            "behavior": "merge",
            "literals": [f"{name}={value}" for name, value in settings.items()],
        }
        name, _, own_tag = platform.rpartition(":")
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(root / "manifests" / "base", overlay)],
            "images": [{"name": PLATFORM, "newName": name, "newTag": own_tag}],
            "configMapGenerator": [generator],
        }
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(content))
        self.must("apply", "-k", str(overlay))
        self.lend(SYSTEM)
        for deployment in ("driftloop-controller", "driftloop-receiver"):
            self.await_rollout(deployment)

    def await_rollout(self, deployment: str) -> None:
        """Wait until all pods of one of Driftloop's own are new; else say what kept them."""
        command = ("rollout", "status", "-n", SYSTEM, f"deploy/{deployment}", "--timeout=400s")
        done = self.kubectl(*command)
        if done.returncode:
            looks = (
                ("get", "pods", "-A", "-o", "wide"),
                ("describe", "nodes"),
                ("describe", "pods", "-n", SYSTEM),
                ("logs", "-n", SYSTEM, f"deploy/{deployment}", "--tail=60"),
            )
            found = [self.kubectl(*look) for look in looks]
            raise AssertionError(
                "\n".join([done.stderr, *(each.stdout + each.stderr for each in found)])
            )

    def welcome(self, namespace: str, root: Path = ROOT) -> None:
        """Make a namespace for loops, as confined as one can be."""
        self.must("create", "namespace", namespace)
        self.must("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
        self.must("apply", "-n", namespace, "-k", str(root / "manifests" / "namespace"))
        self.lend(namespace)

    def kill_pod(self, name: str) -> None:
        """End a pod of Driftloop's own at once, without a word."""
        label = f"app.kubernetes.io/name={name}"
        self.must("delete", "pod", "-n", SYSTEM, "-l", label, "--force", "--grace-period=0")

    def lend(self, namespace: str) -> None:
        """Put the keys into a namespace."""
        secret = {"apiVersion": "v1", "kind": "Secret", "stringData": self.secret}
        secret["metadata"] = {"name": "driftloop-credentials"}
        done = self.apply(secret, namespace)
        assert done.returncode == 0, done.stderr

    def must(self, *arguments: str) -> str:
        done = self.kubectl(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def take_store_away(self) -> None:
        """End the object store at once, where that can be done."""

    def bring_store_back(self) -> None:
        """Start the object store again."""

    def kill_a_sidecar(self) -> None:
        """End one sidecar's process at once, where that can be done."""
