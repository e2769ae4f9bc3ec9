"""The archive: a plain tar whose every byte follows from its files, read without unpacking anything."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

MANIFEST, SIGNATURE = "manifest.json", "manifest.json.sig"
MOST = 2 * 1024**3
"""Largest bundle that is read, in bytes."""


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a file: no owner, no time, mode 0644."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime, info.uid, info.gid = size, 0o644, 0, 0, 0
    return info.tobuf(format=tarfile.USTAR_FORMAT)


def member(name: str, data: bytes) -> bytes:
    """A file as it stands in the archive: header, content, zeros up to the next 512 bytes."""
    return header(name, len(data)) + data + bytes(-len(data) % tarfile.BLOCKSIZE)


def build(manifest: bytes, signature: bytes | None, files: Mapping[str, bytes]) -> bytes:
    """The whole archive: manifest, signature, files by path, end."""
    parts = [member(MANIFEST, manifest)]
    if signature is not None:
        parts.append(member(SIGNATURE, signature))
    parts += [member(name, files[name]) for name in sorted(files)]
    whole = b"".join(parts) + bytes(2 * tarfile.BLOCKSIZE)
    return whole + bytes(-len(whole) % tarfile.RECORDSIZE)


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
