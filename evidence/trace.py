"""Where an archive was touched first.

Every byte of one follows from its files and its signature, so it is laid out once more from the copies that
the manifest holds, and compared from the start to the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evidence import archive, manifest
from evidence.archive import BLOCK, MANIFEST, SEAL_COPY, SIGNATURE


@dataclass(frozen=True)
class Touch:
    """The first byte that is not as packed: its place in the archive, and in which part it lies.

    `at` counts from the part's beginning; None for what stands around files (headers, padding, the end).
    """

    offset: int
    name: str
    at: int | None = None

    def __str__(self) -> str:
        if self.at is None:
            where = f"around {self.name}" if self.name else "at its end"
            return f"byte {self.offset} of the archive is not as packed, {where}"
        return f"{self.name}: first touched at byte {self.at} (byte {self.offset} of the archive)"


@dataclass(frozen=True)
class Layout:
    """What stands where it belongs, whatever the headers around it say."""

    listed: bytes
    seal: bytes | None
    seal_copy: bytes
    files: dict[str, bytes]

    @property
    def seals(self) -> list[bytes]:
        """The signatures that stand there, each different one once."""
        return list(dict.fromkeys(seal for seal in (self.seal, self.seal_copy) if seal))


def read(data: bytes) -> Layout:
    """The parts of an archive by their places; an unreadable manifest leaves `files` empty."""
    size = _size(data, 0, MANIFEST)
    listed, at = data[BLOCK : BLOCK + size], archive.span(size)
    known = manifest.read(listed)
    entries = known.files if isinstance(known, manifest.Manifest) else ()
    seal = None
    if _is_seal(data[at : at + 100], entries[0].path if entries else ""):
        size = _size(data, at, SIGNATURE)
        seal, at = data[at + BLOCK : at + BLOCK + size], at + archive.span(size)
    files = {}
    for entry in entries:
        files[entry.path] = data[at + BLOCK : at + BLOCK + entry.size]
        at += archive.span(entry.size)
    copy = data[at + BLOCK : at + BLOCK + len(seal)] if seal else b""
    if seal is None and data[at : at + len(SEAL_COPY)] == SEAL_COPY.encode():
        # Somebody took the first one out: the second one still tells what is missing.
        copy = data[at + BLOCK : at + BLOCK + _size(data, at, SEAL_COPY)]
    return Layout(listed, seal, copy, files)


def _size(data: bytes, at: int, name: str) -> int:
    """How long a text is: as its header says or up to the first NUL, whichever the header fits."""
    said, end = data[at + 124 : at + 135], data.find(b"\0", at + BLOCK)
    # The first one where both fit as well: then a digit of the header was touched, for its sum fits as badly.
    sizes = [(len(data) if end < 0 else end) - at - BLOCK]
    sizes += [int(said, 8)] if said.isdigit() and not set(said) & set(b"89") else []
    found = data[at : at + BLOCK]
    return min(sizes, key=lambda size: _distance(archive.header(name, max(0, size)), found))


def _distance(wanted: bytes, found: bytes) -> int:
    return sum(a != b for a, b in zip(wanted, found, strict=False)) + abs(len(wanted) - len(found))


def _is_seal(name: bytes, first: str) -> bool:
    """Whether the signature's header stands here or the first file's, even if a byte of it is another."""
    alike = [_distance(word.encode().ljust(100, b"\0"), name) for word in (SIGNATURE, first)]
    return alike[0] < alike[1]


def first_touched(data: bytes, listed: bytes, seal: bytes | None, files: dict[str, bytes]) -> Touch | None:
    """The first byte of an archive that does not follow from its manifest, its signature and its files."""
    at = 0
    for name, body in archive.parts(listed, seal, files):
        for inside, wanted in _pieces(name, body):
            here = manifest.first_difference(wanted, data[at : at + len(wanted)])
            if here is not None:
                return Touch(at + here, name, here if inside else None)
            at += len(wanted)
    here = manifest.first_difference(archive.end(at), data[at:])
    return None if here is None else Touch(at + here, "")


def _pieces(name: str, body: bytes) -> Iterator[tuple[bool, bytes]]:
    yield False, archive.header(name, len(body))
    yield True, body
    yield False, bytes(-len(body) % BLOCK)
