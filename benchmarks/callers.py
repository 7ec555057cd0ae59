"""Callers: processes that ask predictors, each connection one request after another."""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import numpy as np


def load(addresses: list[str], bodies: list[str], seconds: float, path: str) -> tuple[Any, float]:
    """Return each request's seconds, asked by one process a replica, and how long it took."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(len(addresses)) as pool:
        jobs = [
            (address, bodies[n :: len(addresses)], seconds, path)
            for n, address in enumerate(addresses)
        ]
        parts = pool.starmap(_asked, jobs)
    return np.concatenate([np.array(took) for took, _ in parts]), max(spent for _, spent in parts)


def _asked(address: str, bodies: list[str], seconds: float, path: str) -> tuple[list[float], float]:
    """Ask on four connections for ``seconds``."""
    took: list[list[float]] = [[] for _ in range(4)]
    began = time.perf_counter()

    def work(own: int) -> None:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        number = own
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            headers = {"content-type": "application/json"}
            connection.request("POST", path, bodies[number % len(bodies)], headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            took[own].append(time.perf_counter() - sent)
            number += 4

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for own in took for one in own], time.perf_counter() - began
