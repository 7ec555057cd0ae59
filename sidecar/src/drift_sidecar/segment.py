"""Segment: a file of framed batches, the micro-batch that becomes one object of the inference log.

A frame is its payload's length and CRC-32 (two little-endian unsigned 32-bit numbers) and the
payload: the length of a JSON header, the header, and the rows as an Arrow IPC stream. A file's
name holds all else: ``<number>-<start of the window>.<state>``.
"""

from __future__ import annotations

import json
import os
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from drift_sidecar.batches import gathered
from drift_sidecar.seen import digest

OPEN, SEALED, LOGGED = "open", "sealed", "logged"
"""Still written to; never changed again; in the inference log as well."""
FRAME, HEADER = struct.Struct("<II"), struct.Struct("<I")


@dataclass(frozen=True)
class Entry:
    """One accepted batch: the delivery's (source, id), its part of that, its rows, of one pod.

    ``part``: 0 for the first; None where a frame does not say it, and ``event_id`` may end in it.
    """

    source: str
    event_id: str
    rows: pa.RecordBatch
    part: int | None = 0

    @property
    def key(self) -> bytes:
        """Return the digest that stands for this part of the delivery."""
        return digest(self.source, self.event_id, self.part or 0)

    @property
    def keys(self) -> list[bytes]:
        """Return the digests by which a repetition is known, ``key`` first.

        Frames that do not say their part have it behind a '#'; it may be the sender's own.
        """
        event_id, _, part = self.event_id.rpartition("#")
        is_part = self.part is None and event_id and re.fullmatch("[1-9][0-9]{0,5}", part)
        return [self.key, *([digest(self.source, event_id, int(part))] if is_part else [])]

    @property
    def pod_uid(self) -> str:
        """Return the pod that served the rows."""
        return str(self.rows["pod_uid"][0].as_py())

    @property
    def runs(self) -> list[tuple[int, int]]:
        """Return the sequence numbers as inclusive runs: an event may have gaps between."""
        numbers = self.rows["seq"].to_numpy()
        if len(numbers) == 1:
            return [(int(numbers[0]), int(numbers[0]))]
        numbers = np.sort(numbers)
        breaks = np.flatnonzero(np.diff(numbers) > 1)
        firsts = numbers[np.append(0, breaks + 1)]
        lasts = numbers[np.append(breaks, len(numbers) - 1)]
        return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


@dataclass
class Segment:
    """What is known of one file without reading it; ``busy``: it is being uploaded."""

    folder: Path
    number: int
    start: int
    state: str = OPEN
    rows: int = 0
    size: int = 0
    opened: float = 0.0
    busy: bool = False
    digests: list[bytes] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Return where the file lies in its present state."""
        return self.folder / f"{self.number:012d}-{self.start}.{self.state}"

    def become(self, state: str) -> None:
        """Rename the file to its next state."""
        before, self.state = self.path, state
        before.rename(self.path)

    def append(self, pieces: Sequence[bytes | pa.Buffer]) -> None:
        """Write one frame at the end, whole or not at all; raise OSError."""
        with self.path.open("ab", buffering=0) as file:
            if file.tell() != self.size:  # what an earlier failure left behind
                file.truncate(self.size)
            try:
                size = sum(map(len, pieces))
                if os.writev(file.fileno(), pieces) != size:
                    raise OSError("The disk took a part of the frame only.")
            except OSError:
                file.truncate(self.size)
                raise
        self.size += size


def of_path(path: Path) -> Segment:
    """Return the segment that a file's name describes; raise ValueError for another file."""
    number, _, start = path.stem.partition("-")
    state = path.suffix[1:]
    if state not in (OPEN, SEALED, LOGGED):
        raise ValueError(f"{path.name} is no segment.")
    return Segment(path.parent, int(number), int(start), state, size=path.stat().st_size)


def frame(entry: Entry) -> list[bytes | pa.Buffer]:
    """Return the entry as it lies in a file, in pieces: joined they would be one copy more."""
    named = {"source": entry.source, "id": entry.event_id, "part": entry.part}
    header = json.dumps(named).encode()
    # Two messages make a stream; a writer's buffer would double as it grows.
    told = HEADER.pack(len(header)) + header + entry.rows.schema.serialize().to_pybytes()
    rows = entry.rows.serialize()
    checksum = zlib.crc32(rows, zlib.crc32(told))
    return [FRAME.pack(len(told) + rows.size, checksum) + told, rows]


def payloads(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the whole frames, each with the offset of its end, up to the first torn one."""
    end = 0
    with path.open("rb") as file:
        while len(head := file.read(FRAME.size)) == FRAME.size:
            length, checksum = FRAME.unpack(head)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            end += FRAME.size + length
            yield end, payload


def entry(payload: bytes) -> Entry:
    """Return the entry of a frame whose checksum holds."""
    (length,) = HEADER.unpack_from(payload)
    header = json.loads(payload[HEADER.size : HEADER.size + length])
    with pa.ipc.open_stream(pa.py_buffer(payload)[HEADER.size + length :]) as reader:
        rows = reader.read_next_batch()
    return Entry(header["source"], header["id"], rows, header.get("part"))


def entries(path: Path) -> Iterator[Entry]:
    """Yield what a file holds, in the order it came."""
    return (entry(payload) for _, payload in payloads(path))


def rows(path: Path) -> dict[str, list[pa.RecordBatch]]:
    """Return a file's rows by pod, in the order they came; small batches of a pod in few."""
    pods: dict[str, list[pa.RecordBatch]] = {}
    for one in entries(path):
        own = pods.setdefault(one.pod_uid, [])
        own.append(one.rows)
        pods[one.pod_uid] = gathered(own)
    return pods
