"""Run the compiled training pipeline on this machine, in this process, through kfp.local.

``python -m driftloop.adapters.local_pipeline YAML ROOT LOOP STORE ORDER``; ends with one JSON
line on standard output. A process of its own because kfp.local is a process-wide singleton
that writes to the terminal, and so that a kill takes its steps along.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading


def main(arguments: list[str]) -> int:
    """Run the pipeline; return 0 when it ended with a verdict, 1 when a step failed."""
    package, root, loop, store, order = arguments
    if os.environ.get("DRIFTLOOP_SUPERVISED") == "1":
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.redirect_stdout(sys.stderr):
        verdict = run(package, root, {"loop": loop, "store": store, "order": order})
    sys.stdout.write(json.dumps({"verdict": verdict}) + "\n")
    return 0 if verdict != "failed" else 1


def run(package: str, root: str, parameters: dict[str, str]) -> str:
    """Return the gate's verdict, or 'failed' when a step failed (its log is on stderr)."""
    from kfp import components, local

    runner = local.SubprocessRunner(use_venv=False)
    local.init(runner=runner, pipeline_root=root, raise_on_error=False)
    pipeline = components.load_component_from_file(package)
    outputs = pipeline(**parameters).outputs
    return str(outputs.get("Output", "failed"))


def _end_with_parent() -> None:
    """End this process and its steps when standard input closes: the parent is gone."""
    # Not through sys.stdin: its lock would be held when the interpreter shuts down.
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
