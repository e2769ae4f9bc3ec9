"""The manifest of a bundle: every file by hash, and packed once more, so that an altered byte can be named.

The whole file's SHA-256 decides whether it is intact. The packed copy says what it was: with it, the first
byte that is another is known exactly, however many were touched. It is bzip2, whose output depends on the
data only.
"""

from __future__ import annotations

import base64
import bz2
import hashlib
import json
import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

SCHEMA = "stockade/evidence/2"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_STEP = 1 << 16


class Entry(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(max_length=100)
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    packed: str = Field(description="the file once more: bzip2, in base64")

    @field_validator("path")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError(f"{value!r} is no plain relative path")
        return value


class Manifest(BaseModel):
    """Every file of a bundle, sorted by path, each once."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_: str = Field(default=SCHEMA, alias="schema", pattern=f"^{SCHEMA}$")
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
    packed = base64.b64encode(bz2.compress(data)).decode()
    return Entry(path=path, size=len(data), sha256=_sha256(data), packed=packed)


def render(files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files; the same files always give the same bytes."""
    entries = [describe(path, files[path]).model_dump() for path in sorted(files)]
    data = {"schema": SCHEMA, "files": entries}
    return json.dumps(data, indent=1, sort_keys=True).encode() + b"\n"


def read(data: bytes) -> Manifest | str:
    """The manifest, or why it is none."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        return other_schema(data) or str(error.errors()[0]["msg"])


def other_schema(data: bytes) -> str:
    """What to do with a manifest of another version of Stockade; "" for one of ours or none at all."""
    try:
        found = json.loads(data)
        named = str(found.get("schema", ""))
    except (ValueError, AttributeError, RecursionError):
        return ""
    if named == SCHEMA or not named.startswith(SCHEMA.rpartition("/")[0] + "/"):
        return ""
    return f"is of schema {named[:60]}, this version reads {SCHEMA}: check it with the version that packed it"


def intact(entry: Entry, data: bytes) -> bool:
    """Whether these are the bytes that were described."""
    return len(data) == entry.size and _sha256(data) == entry.sha256


def original(entry: Entry, found: bytes) -> bytes | None:
    """The file as it was packed, from two of three: its copy, its hash and what was found in its place.

    None when no two of them agree.
    """
    copy = _unpacked(entry)
    if copy is not None and (intact(entry, copy) or copy == found):
        return copy
    return found if _sha256(found) == entry.sha256 else None


def _unpacked(entry: Entry) -> bytes | None:
    reader = bz2.BZ2Decompressor()
    try:
        data = reader.decompress(base64.b64decode(entry.packed, validate=True), entry.size + 1)
    except (OSError, ValueError):
        return None
    return data if reader.eof else None


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def first_difference(wanted: bytes, found: bytes) -> int | None:
    """The first byte at which `found` is not what was wanted; None when it is all of it and nothing more."""
    for start in range(0, max(len(wanted), len(found)), _STEP):
        here, there = wanted[start : start + _STEP], found[start : start + _STEP]
        if here != there:
            pairs = enumerate(zip(here, there, strict=False))
            return start + next((i for i, (a, b) in pairs if a != b), min(len(here), len(there)))
    return None
