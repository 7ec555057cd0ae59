"""Small real HTTP servers that a router or a predictor talks to."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx


@contextmanager
def backend(name: str, delay: float = 0.0, status: int = 200) -> Iterator[tuple[str, list[dict]]]:
    """A real small HTTP server that answers with its name and keeps what it was sent."""
    bodies: list[dict] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            time.sleep(delay)
            bodies.append({"headers": dict(self.headers), "body": self.rfile.read(length)})
            content = json.dumps({"name": name}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()


def switch(
    router: str, url: str, version: str, token: str = "t", canary: dict | None = None
) -> httpx.Response:
    """Tell the router who answers; ``canary``: url, version and share of a second one."""
    return httpx.put(
        f"{router}/driftloop/backend",
        json={"url": url, "version": version, "canary": canary},
        headers={"authorization": f"Bearer {token}"},
        timeout=30,
    )
