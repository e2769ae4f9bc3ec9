"""The archive: a plain tar whose every byte follows from its files, read without unpacking anything."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
SEAL_COPY = "manifest.json.sig.copy"
"""The signature once more, at the end: when a byte of one is touched, the other one tells which."""
BLOCK = tarfile.BLOCKSIZE
MOST = 2 * 1024**3
"""Largest bundle that is read, in bytes."""


_PACKED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def no_bundle(data: bytes) -> str:
    """Why this was never a bundle, or was made into something else as a whole; "" for what may be one."""
    if not data:
        return "it is empty: a bundle is a tar archive"
    packed = next((name for magic, name in _PACKED.items() if data.startswith(magic)), "")
    if packed:
        return f"it is packed by {packed}: a bundle is a plain tar archive, so unpack it and check again"
    # A bundle whose first header was touched here and there is still one, and the bytes are named.
    first = header(MANIFEST, 0)
    places = (*range(len(MANIFEST)), *range(257, 262))  # its name, and the mark of a tar archive
    alike = sum(data[at : at + 1] == first[at : at + 1] for at in places)
    return "" if alike > len(places) // 3 else "it is no bundle: it does not begin with a manifest"


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a file: no owner, no time, mode 0644."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime, info.uid, info.gid = size, 0o644, 0, 0, 0
    return info.tobuf(format=tarfile.USTAR_FORMAT)


def member(name: str, data: bytes) -> bytes:
    """A file as it stands in the archive: header, content, zeros up to the next 512 bytes."""
    return header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def span(size: int) -> int:
    """How many bytes of the archive a file of this size takes, with its header and padding."""
    return BLOCK + size + (-size % BLOCK)


def parts(
    manifest: bytes, signature: bytes | None, files: Mapping[str, bytes]
) -> Iterator[tuple[str, bytes]]:
    """Names and contents in their order: manifest, signature, files by path, the signature once more."""
    yield MANIFEST, manifest
    if signature is not None:
        yield SIGNATURE, signature
    yield from ((name, files[name]) for name in sorted(files))
    if signature is not None:
        yield SEAL_COPY, signature


def end(size: int) -> bytes:
    """The zeros after the last file of an archive that is this long so far."""
    return bytes(2 * BLOCK + -(size + 2 * BLOCK) % tarfile.RECORDSIZE)


def build(manifest: bytes, signature: bytes | None, files: Mapping[str, bytes]) -> bytes:
    """The whole archive."""
    whole = b"".join(member(name, body) for name, body in parts(manifest, signature, files))
    return whole + end(len(whole))


def write(path: Path, data: bytes) -> None:
    """Write an archive in one step: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)


def members(data: bytes) -> tuple[list[tuple[str, bytes]], str]:
    """Every regular file in the order it stands there, and why reading stopped early ("" when it did not).

    Nothing is written anywhere: a name that points elsewhere, a link or a device is a complaint.
    """
    found: list[tuple[str, bytes]] = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for info in archive:
                if not info.isreg():
                    return found, f"{info.name!r} is no ordinary file"
                content = archive.extractfile(info)
                if content is None or len(body := content.read()) != info.size:
                    return found, f"{info.name!r} is cut off"
                found.append((info.name, body))
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        return found, str(error) or type(error).__name__
    return found, ""
