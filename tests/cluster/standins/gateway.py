"""A stand-in for a Gateway: HTTPRoutes are read, requests split by their weights, nothing retried.

``python gateway.py HOST PORT``, KUBECONFIG in the environment. What it copies of the Gateway API
v1: a request's Host picks the route, the first rule's backendRefs share its requests by weight;
once a route's newest form is in force its status says so by observedGeneration. Left out: every
filter and match, listeners, TLS.
"""

from __future__ import annotations

import http.client
import logging
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from driftloop.adapters.kubernetes_objects import Absent, Objects, Stale

Backends = tuple[list[str], list[int]]
ROUTES: dict[str, Backends] = {}
"""Addresses and weights by host."""


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        addresses, weights = ROUTES.get(self.headers["host"], ([], []))
        if not sum(weights):
            self.answer(404, b"no such route")
            return
        address = random.choices(addresses, weights)[0]
        own = ("connection", "accept-encoding")
        headers = {k: v for k, v in self.headers.items() if k.lower() not in own}
        connection = http.client.HTTPConnection(address, 80, timeout=20)
        try:
            connection.request("POST", self.path, body, headers | {"connection": "close"})
            answer = connection.getresponse()
            self.answer(answer.status, answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.answer(502, f"{address}: {error!r}".encode())
        finally:
            connection.close()

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def backends(route: dict[str, Any], objects: Objects) -> Backends:
    namespace, addresses, weights = route["metadata"]["namespace"], [], []
    for one in route["spec"]["rules"][0]["backendRefs"]:
        weight = one.get("weight", 1)
        if weight:  # a Service that gets nothing may be gone
            found = objects.get("Service", namespace, one["name"])
            addresses.append(found["spec"]["clusterIP"])
            weights.append(weight)
    return addresses, weights


def accept(route: dict[str, Any], objects: Objects) -> None:
    generation = route["metadata"]["generation"]
    known = route.get("status", {}).get("parents", ())
    if any(c["observedGeneration"] == generation for one in known for c in one["conditions"]):
        return
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    condition |= {"observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    parent = {"parentRef": route["spec"]["parentRefs"][0], "conditions": [condition]}
    parent |= {"controllerName": "driftloop.io/stand-in"}
    taken = route | {"status": {"parents": [parent]}}
    objects.replace_status("HTTPRoute", route["metadata"]["namespace"], taken)


def follow(objects: Objects) -> None:
    for route in objects.list("HTTPRoute"):
        try:
            for host in route["spec"].get("hostnames", ()):
                ROUTES[host] = backends(route, objects)
            accept(route, objects)
        except (Absent, Stale):
            continue


def main() -> None:
    objects = Objects()
    server = ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    while True:
        try:
            follow(objects)
        except Exception:
            logging.exception("The round failed; the next one tries again.")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
