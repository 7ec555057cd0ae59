"""Settings: what a predictor is told, read once from the environment."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from driftloop_contracts import signature
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.signature import ANYONE, Trusted


@dataclass(frozen=True)
class Settings:
    """Each field is the variable DRIFTLOOP_<FIELD>, but for ``pod_uid`` (POD_UID; in Kubernetes
    with a suffix of the process's own).

    ``bundle`` '' is a standby that is told its bundle on standard input; ``feast``: folder of
    the registry and the online store; ``sidecar``: where records go ('' nowhere); ``scratch``:
    where the bundle is unpacked; ``event_time``: take the event's time from the request, as a
    replay needs; ``supervised``: end when standard input closes; ``online_store``: address of
    the online store ('': SQLite in ``feast``); ``trusted``: whose bundles may load.
    """

    usecase: str
    store: str
    feast: Path
    bundle: str = ""
    sidecar: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    scratch: Path = Path("/tmp/driftloop-predictor")
    event_time: bool = False
    supervised: bool = False
    pod_uid: str = ""
    online_store: str = ""
    trusted: Trusted = ANYONE

    def told(self, line: str) -> Settings:
        """Return the settings with the bundle and sidecar that a line of JSON names."""
        try:
            message = json.loads(line)
            return replace(self, bundle=str(message["bundle"]), sidecar=str(message["sidecar"]))
        except (ValueError, TypeError, KeyError) as error:
            allowed = "JSON with bundle and sidecar"
            raise InvalidInput("the first line", "standard input", allowed, line) from error


def from_env(environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``environ``; raise InvalidInput for one that is missing or wrong."""
    try:
        return Settings(
            usecase=environ["DRIFTLOOP_USECASE"],
            store=environ["DRIFTLOOP_STORE"],
            feast=Path(environ["DRIFTLOOP_FEAST"]),
            bundle=environ.get("DRIFTLOOP_BUNDLE", ""),
            sidecar=environ.get("DRIFTLOOP_SIDECAR", ""),
            host=environ.get("DRIFTLOOP_HOST", "127.0.0.1"),
            port=int(environ.get("DRIFTLOOP_PORT", "0")),
            scratch=Path(environ.get("DRIFTLOOP_SCRATCH", "/tmp/driftloop-predictor")),
            event_time=environ.get("DRIFTLOOP_EVENT_TIME") == "1",
            supervised=environ.get("DRIFTLOOP_SUPERVISED") == "1",
            pod_uid=_pod_uid(environ),
            online_store=environ.get("DRIFTLOOP_ONLINE_STORE", ""),
            trusted=signature.trusted(environ),
        )
    except KeyError as error:
        raise InvalidInput(str(error.args[0]), "the environment", "set", "nothing") from None
    except ValueError:
        got = environ.get("DRIFTLOOP_PORT")
        raise InvalidInput("DRIFTLOOP_PORT", "the environment", "a port number", got) from None


def _pod_uid(environ: Mapping[str, str]) -> str:
    """Return POD_UID; in Kubernetes with a suffix, as a container restarts within its pod.

    Its records' numbers begin anew then, and would overwrite what the first process logged.
    """
    given, own = environ.get("POD_UID"), uuid.uuid4().hex
    if not given:
        return own
    return f"{given}-{own[:8]}" if "KUBERNETES_SERVICE_HOST" in environ else given
