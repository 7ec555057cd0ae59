"""What the use case DRIFTLOOP_USECASE defines, over the feature rows in DRIFTLOOP_STORE.

Feast registers every object that it finds among a module's names.
"""

import os
from pathlib import Path

from driftloop import usecase
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.object_store import open_store

BESIDE = {usecase.FOLDER_VARIABLE: str(Path(__file__).parents[1] / "usecases")}
"""Where use cases lie, if the environment does not say: Feast's commands change the folder."""

_name = os.environ.get("DRIFTLOOP_USECASE", "")
_case = usecase.find(_name, BESIDE | os.environ)
if _case.name != _name:
    # It is Feast's project too, and rows are stored under that name.
    raise InvalidInput("DRIFTLOOP_USECASE", "the environment", f"'{_case.name}'", _name)
if not os.environ.get("DRIFTLOOP_STORE"):
    raise InvalidInput("DRIFTLOOP_STORE", "the environment", "a path or s3://bucket/prefix", "")

_store = open_store(os.environ["DRIFTLOOP_STORE"])
_objects = _case.registered(f"{_store.uri}/features/{_case.loop.name}")
globals().update({f"object_{number}": found for number, found in enumerate(_objects)})
