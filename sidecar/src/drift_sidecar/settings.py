"""Settings: what the sidecar is told, read once from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from drift_sidecar.intake import options
from drift_sidecar.intake.options import Options
from driftloop_contracts import signature
from driftloop_contracts.errors import InvalidInput
from driftloop_contracts.signature import ANYONE, Trusted

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""What may stand in an object's key: loop names, bundle versions, pod uids."""
SIZE = re.compile(r"([0-9]{1,9}) ?([KMG])iB")
WHERE = "the environment"


@dataclass(frozen=True)
class Settings:
    """One process's task.

    ``store``: address of the object store; ``bundle``: version to watch with (empty: a standby
    that reads it from standard input); ``sink``: where events are POSTed (empty: nowhere);
    ``port``: 0 takes any free one; ``scratch``: folder for the bundle (empty: a temporary
    one); ``supervised``: end when standard input ends; ``token_file``: holds the bearer token
    for the sink (empty: none is sent); ``pod``: named in the events' source, where several
    sidecars watch one loop; ``spool``: folder of what waits (empty: in the scratch folder, or
    a temporary one), of at most ``spool_bytes``; ``intake``: how other people's events are read;
    ``trusted``: whose bundles may load.
    """

    store: str
    loop: str
    bundle: str = ""
    sink: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    scratch: str = ""
    supervised: bool = False
    token_file: str = ""
    pod: str = ""
    spool: str = ""
    spool_bytes: int = 1 << 30
    intake: Options = Options()
    trusted: Trusted = ANYONE

    def watching(self, version: str) -> Settings:
        """Return these settings with the bundle's version; raise InvalidInput for a bad one."""
        return replace(self, bundle=checked_name(version, "the bundle's version"))


def checked_name(text: str, what: str, where: str = WHERE) -> str:
    """Return ``text`` when it may stand in an object's key; raise InvalidInput otherwise.

    >>> checked_name("0001-1a2b3c4d", "the bundle's version")
    '0001-1a2b3c4d'
    """
    if not NAME.fullmatch(text):
        raise InvalidInput(what, where, "1 to 128 letters, digits, '.', '_' or '-'", text)
    return text


def from_env(environ: Mapping[str, str]) -> Settings:
    """Return the settings in ``environ``; raise InvalidInput for the first that is wrong.

    >>> from_env({"DRIFTLOOP_STORE": "runs/store", "DRIFTLOOP_LOOP": "ads-ctr"}).port
    0
    """
    bundle, pod = environ.get("DRIFTLOOP_BUNDLE", ""), environ.get("POD_UID", "")
    return Settings(
        store=_required(environ, "DRIFTLOOP_STORE"),
        loop=checked_name(_required(environ, "DRIFTLOOP_LOOP"), "DRIFTLOOP_LOOP"),
        bundle=checked_name(bundle, "DRIFTLOOP_BUNDLE") if bundle else "",
        sink=_address(environ.get("DRIFTLOOP_SINK", "")),
        host=environ.get("DRIFTLOOP_HOST") or "127.0.0.1",
        port=_port(environ.get("DRIFTLOOP_PORT") or "0"),
        scratch=environ.get("DRIFTLOOP_SCRATCH", ""),
        supervised=environ.get("DRIFTLOOP_SUPERVISED", "") == "1",
        token_file=environ.get("DRIFTLOOP_TOKEN_FILE", ""),
        pod=checked_name(pod, "POD_UID") if pod else "",
        spool=environ.get("DRIFTLOOP_SPOOL", ""),
        spool_bytes=size(environ.get("DRIFTLOOP_SPOOL_BYTES") or "1GiB"),
        intake=options.from_env(environ),
        trusted=signature.trusted(environ),
    )


def size(text: str) -> int:
    """Return a size in bytes; it carries its unit.

    >>> size("512MiB")
    536870912
    """
    found = SIZE.fullmatch(text)
    if not found or int(found[1]) < 1:
        allowed = "a whole number of KiB, MiB or GiB, such as 512MiB"
        raise InvalidInput("DRIFTLOOP_SPOOL_BYTES", WHERE, allowed, text)
    return int(found[1]) << {"K": 10, "M": 20, "G": 30}[found[2]]


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise InvalidInput(name, WHERE, "set", value)
    return value


def _address(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.netloc):
        raise InvalidInput("DRIFTLOOP_SINK", WHERE, "an http(s) address or empty", text)
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:6]) < 65536):
        raise InvalidInput("DRIFTLOOP_PORT", WHERE, "a whole number from 0 to 65535", text)
    return int(text)
