"""Whatever was made of a bundle: the check says in one line what it is, or what was touched first."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import Any

import pytest

from evidence import archive, manifest, signature
from tests.unit.evidence_sample import FILES, LISTED, WHOLE, first_other, key, named_byte, seal, verdict

__all__ = ["key", "seal"]  # fixtures


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda _: b"", "it is empty"),
        (gzip.compress, "packed by gzip"),
        (bz2.compress, "packed by bzip2"),
        (lambda good: gzip.compress(good) + b"trailing", "packed by gzip"),
        (lambda _: b'{"schema": "stockade/results/1"}\n' * 99, "does not begin with a manifest"),
        (lambda good: good[512:], "does not begin with a manifest"),
        (lambda _: bytes(WHOLE), "does not begin with a manifest"),
        (lambda good: good[:100], "the archive ends after 100 bytes, within its manifest"),
        (lambda good: good[:1000], "the archive ends after 1000 bytes, within its manifest"),
        (lambda good: good[:2000], "byte 2000 of the archive is not as packed, around manifest.json"),
        (lambda good: good[: len(good) - 1], f"byte {WHOLE - 1} of the archive is not as packed, at its end"),
        (lambda good: good + b"\x1f\x8b", f"byte {WHOLE} of the archive is not as packed, at its end"),
        (lambda good: good + good, f"byte {WHOLE} of the archive is not as packed, at its end"),
    ],
)
def test_what_is_no_bundle_says_what_it_is(
    tmp_path: Path, key: Path, seal: bytes, made: Any, said: str
) -> None:
    good = archive.build(LISTED, seal, FILES)
    assert len(good) == WHOLE
    assert said in verdict(tmp_path, made(good), key)[0]


@pytest.mark.parametrize("schema", ["stockade/evidence/1", "stockade/evidence/3"])
def test_a_bundle_of_another_version_is_one_clear_line(tmp_path: Path, key: Path, schema: str) -> None:
    listed = LISTED.replace(manifest.SCHEMA.encode(), schema.encode())
    signed = archive.build(listed, signature.sign(listed, key), FILES)
    said = f"manifest.json is of schema {schema}, this version reads stockade/evidence/2: check it with the"
    assert verdict(tmp_path, signed, key) == [f"{said} version that packed it"]
    assert verdict(tmp_path, archive.build(listed, None, FILES), key) == [f"{said} version that packed it"]


SWAPPED = {"a.txt": "results.json", "results.json": "a.txt"}
MEMBERS = {
    "a file twice": lambda parts: [*parts[:3], parts[2], *parts[3:]],
    "the manifest twice": lambda parts: [*parts, parts[0]],
    "another manifest at the end": lambda parts: [*parts, (archive.MANIFEST, b"{}")],
    "the signature twice": lambda parts: [*parts[:2], parts[1], *parts[2:]],
    "a file renamed": lambda parts: [(name.replace("a.txt", "b.txt"), body) for name, body in parts],
    "other letters": lambda parts: [(name.replace("a.txt", "A.txt"), body) for name, body in parts],
    "contents swapped": lambda parts: [(name, dict(parts)[SWAPPED.get(name, name)]) for name, _ in parts],
    "the other way round": lambda parts: parts[::-1],
    "the manifest last": lambda parts: [*parts[1:], parts[0]],
    "without its second signature": lambda parts: parts[:-1],
    "without its first signature": lambda parts: [parts[0], *parts[2:]],
    "a file more": lambda parts: [*parts[:-1], ("zz", b"1"), parts[-1]],
    "a file behind the end": lambda parts: [*parts, ("zz", b"1")],
}  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_members_changed_in_any_way_name_the_first_other_byte(
    tmp_path: Path, key: Path, seal: bytes, name: str
) -> None:
    good = archive.build(LISTED, seal, FILES)
    changed = MEMBERS[name](list(archive.parts(LISTED, seal, FILES)))
    whole = b"".join(archive.member(path, body) for path, body in changed)
    whole += archive.end(len(whole))
    said = verdict(tmp_path, whole, key)
    if name == "the other way round":  # then nothing stands where it was: it begins as no bundle does
        assert said
    else:
        assert named_byte(said) == first_other(good, whole)
