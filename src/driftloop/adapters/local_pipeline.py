"""Run a compiled pipeline on this machine, in this process, through kfp.local.

``python -m driftloop.adapters.local_pipeline YAML ROOT PARAMETERS``, the parameters a JSON object;
ends with one JSON line on standard output, ``{"output": ...}``, null when a step failed. A process
of its own because kfp.local is a process-wide singleton that writes to the terminal, and so that a
kill takes its steps along.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import yaml


def main(arguments: list[str]) -> int:
    """Run the pipeline; return 0 when it ended with its output, 1 when a step failed."""
    package, root, parameters = arguments
    if os.environ.get("DRIFTLOOP_SUPERVISED") == "1":
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.redirect_stdout(sys.stderr):
        output = run(package, root, json.loads(parameters))
    sys.stdout.write(json.dumps({"output": output}) + "\n")
    return 1 if output is None else 0


def run(package: str, root: str, parameters: dict[str, str]) -> Any:
    """Return the pipeline's output, None when a step failed (its log is on stderr)."""
    from kfp import components, local

    runner = local.SubprocessRunner(use_venv=False)
    local.init(runner=runner, pipeline_root=root, raise_on_error=False)
    pipeline = components.load_component_from_file(package)
    return pipeline(**_defaults(package) | parameters).outputs.get("Output")


def _defaults(package: str) -> dict[str, Any]:
    """Return the pipeline's optional parameters; a loaded component forgets empty defaults."""
    spec = next(yaml.safe_load_all(Path(package).read_text(encoding="utf-8")))
    known = spec["root"]["inputDefinitions"]["parameters"]
    return {
        name: given.get("defaultValue", "")
        for name, given in known.items()
        if given.get("isOptional")
    }


def _end_with_parent() -> None:
    """End this process and its steps when standard input closes: the parent is gone."""
    # Not through sys.stdin: its lock would be held when the interpreter shuts down.
    while os.read(0, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
