"""The manifest of a bundle: every file by hash, and by small blocks, so that an altered byte can be named.

The whole file's SHA-256 decides whether it is intact. The blocks only say where it is not: 64 bytes each, by
the first 48 bits of their SHA-256. A single changed byte inside a block is found by trying what it was; when
more bytes of the block are different, the block is named instead of the byte.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

BLOCK = 64
_CUT = 6
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class Entry(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(max_length=100)
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    blocks: str = Field(description="base64 of six bytes for each 64 bytes of the file")

    @field_validator("path")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no plain relative path")
        return value


class Manifest(BaseModel):
    """Every file of a bundle, sorted by path, each once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(default="stockade/evidence/1", alias="schema", pattern=r"^stockade/evidence/1$")
    files: tuple[Entry, ...] = Field(min_length=1)

    @field_validator("files")
    @classmethod
    def _sorted(cls, value: tuple[Entry, ...]) -> tuple[Entry, ...]:
        paths = [entry.path for entry in value]
        if paths != sorted(set(paths)):
            raise ValueError("files are sorted by path, each once")
        return value


def describe(path: str, data: bytes) -> Entry:
    """The entry of one file."""
    return Entry(path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest(), blocks=_blocks(data))


def render(files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files; the same files always give the same bytes."""
    entries = [describe(path, files[path]).model_dump() for path in sorted(files)]
    data = {"schema": "stockade/evidence/1", "files": entries}
    return json.dumps(data, indent=1, sort_keys=True).encode() + b"\n"


def read(data: bytes) -> Manifest | str:
    """The manifest, or why it is none."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        return str(error.errors()[0]["msg"])


def _blocks(data: bytes) -> str:
    cut = b"".join(_short(data[at : at + BLOCK]) for at in range(0, len(data), BLOCK))
    return base64.b64encode(cut).decode()


def _short(block: bytes) -> bytes:
    return hashlib.sha256(block).digest()[:_CUT]


def first_difference(entry: Entry, data: bytes) -> tuple[int, int] | None:
    """Where `data` first differs from what was described: the (first, last) byte it can be; None if nowhere.

    Equal numbers name one byte exactly.
    """
    if len(data) == entry.size and hashlib.sha256(data).hexdigest() == entry.sha256:
        return None
    known = base64.b64decode(entry.blocks)
    for number, start in enumerate(range(0, entry.size, BLOCK)):
        end = min(start + BLOCK, entry.size)
        wanted, block = known[number * _CUT : (number + 1) * _CUT], data[start:end]
        if _short(block) != wanted:
            return _inside(block, wanted, start, end)
    return entry.size, entry.size  # every byte that was described is there, and more follow


def _inside(block: bytes, wanted: bytes, start: int, end: int) -> tuple[int, int]:
    if len(block) < end - start:  # cut off: whether what is left is intact, its own hash cannot tell
        return start, start + len(block)
    changed = bytearray(block)
    for at, byte in enumerate(block):
        for value in range(256):
            changed[at] = value
            if _short(bytes(changed)) == wanted:
                return start + at, start + at
        changed[at] = byte
    return start, end - 1
