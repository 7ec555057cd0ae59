"""The image every step runs in; ``make pipelines IMAGE=`` sets another."""

import os

PLATFORM = os.environ.get("DRIFTLOOP_IMAGE", "driftloop/platform:latest")
