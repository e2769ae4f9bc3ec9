"""Checks a bundle offline: the signature, every byte of every file and of the archive around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evidence import archive, manifest, signature
from fault import Fault


@dataclass
class Verdict:
    """What was found. Good only without any complaint; the first complaint names what was touched first."""

    complaints: list[str] = field(default_factory=list)
    signer: str = ""
    files: int = 0

    @property
    def good(self) -> bool:
        """Nothing to complain of."""
        return not self.complaints


def check(path: Path, signers: Path) -> Verdict:
    """Check a bundle against a file of allowed signers (ssh's own format), which never comes from the bundle.

    Raises Fault when there is nothing to read.
    """
    data = _read(path)
    verdict = Verdict()
    found, stopped = archive.members(data)
    inside = dict(found)
    listed = inside.get(archive.MANIFEST)
    if listed is None:
        verdict.complaints.append(f"{archive.MANIFEST} is missing" + (f": {stopped}" if stopped else ""))
        return verdict
    known = manifest.read(listed)
    if isinstance(known, manifest.Manifest):
        _compare(known, found, stopped, data, verdict)
    else:
        verdict.complaints.append(
            f"{archive.MANIFEST} is no manifest: {known}{_manifest_byte(found, listed)}"
        )
    _signed(inside, listed, signers, found, verdict)
    return verdict


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > archive.MOST:
            raise Fault(
                f"{path} is larger than {archive.MOST} bytes", "a bundle is smaller", "check the file"
            )
        return path.read_bytes()
    except OSError as error:
        raise Fault(f"{path}: {error.strerror}", "a bundle is one tar file", "correct the path") from error


def _signed(
    inside: dict[str, bytes],
    listed: bytes,
    signers: Path,
    found: list[tuple[str, bytes]],
    verdict: Verdict,
) -> None:
    seal = inside.get(archive.SIGNATURE)
    if seal is None:
        verdict.complaints.append("the manifest is not signed")
        return
    answer = signature.verify(listed, seal, signers)
    if answer.signer:
        verdict.signer = answer.signer
        return
    where = _manifest_byte(found, listed)
    hint = where or "; files and manifest agree, so manifest or signature was made anew or touched"
    verdict.complaints.append(f"the signature does not hold: {answer.reason}{hint}")


def _manifest_byte(found: list[tuple[str, bytes]], listed: bytes) -> str:
    """The manifest follows from the files: where it differs from what they give, it was touched itself."""
    files = {
        name: body
        for name, body in found
        if name not in (archive.MANIFEST, archive.SIGNATURE) and manifest.NAME.fullmatch(name)
    }
    if not files:
        return ""
    wanted = manifest.render(files)
    if wanted == listed:
        return ""
    at = _differs(wanted, listed)
    return f"; first touched at byte {at} of {archive.MANIFEST}, or in a file it describes"


def _compare(
    known: manifest.Manifest, found: list[tuple[str, bytes]], stopped: str, data: bytes, verdict: Verdict
) -> None:
    names = [name for name, _ in found if name not in (archive.MANIFEST, archive.SIGNATURE)]
    wanted = [entry.path for entry in known.files]
    bodies = dict(found)
    verdict.files = len(wanted)
    verdict.complaints += [
        text
        for entry in known.files
        if entry.path in bodies and (text := _touched(entry, bodies[entry.path], data, found))
    ]
    verdict.complaints += [f"{name} is missing" for name in wanted if name not in bodies]
    verdict.complaints += [f"{name} is not in the manifest" for name in names if name not in wanted]
    twice = sorted({name for name in names if names.count(name) > 1})
    verdict.complaints += [f"{name} stands there {names.count(name)} times" for name in twice]
    if not verdict.complaints and names != wanted:
        first = next(a for a, b in zip(names, wanted, strict=True) if a != b)
        verdict.complaints.append(f"{first} stands in another place than it was packed")
    if stopped:
        verdict.complaints.append(f"the archive cannot be read to its end: {stopped}")
    if frame := _frame(known, bodies, data):
        verdict.complaints.append(frame)


def _touched(entry: manifest.Entry, body: bytes, data: bytes, found: list[tuple[str, bytes]]) -> str:
    difference = manifest.first_difference(entry, body)
    if difference is None:
        return ""
    first, last = difference
    where = f"byte {first}" if first == last else f"one of the bytes {first} to {last}"
    offset = _offset(entry.path, found)
    place = f" (byte {offset + first} of the archive)" if 0 <= offset <= len(data) else ""
    size = f"; it has {len(body)} bytes instead of {entry.size}" if len(body) != entry.size else ""
    return f"{entry.path}: first touched at {where}{place}{size}"


def _offset(path: str, found: list[tuple[str, bytes]]) -> int:
    at = 0
    for name, body in found:
        if name == path:
            return at + 512
        at += 512 + len(body) + (-len(body) % 512)
    return -1


def _frame(known: manifest.Manifest, bodies: dict[str, bytes], data: bytes) -> str:
    """Headers, padding and end follow from the manifest: the first byte of them that is another, or ""."""
    ahead = [(name, len(bodies[name])) for name in (archive.MANIFEST, archive.SIGNATURE) if name in bodies]
    at = 0
    for name, size in [*ahead, *((entry.path, entry.size) for entry in known.files)]:
        for start, part in ((at, archive.header(name, size)), (at + 512 + size, bytes(-size % 512))):
            if (here := _differs(part, data[start : start + len(part)])) is not None:
                return f"byte {start + here} of the archive is not as packed, around {name}"
        at += 512 + size + (-size % 512)
    tail = bytes(1024 + (-(at + 1024)) % 10240)
    here = _differs(tail, data[at:])
    return "" if here is None else f"byte {at + here} of the archive is not as packed, at its end"


def _differs(wanted: bytes, got: bytes) -> int | None:
    if wanted == got:
        return None
    pairs = enumerate(zip(wanted, got, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(wanted), len(got)))
