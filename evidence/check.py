"""Checks a bundle offline: the signature, every byte of every file and of the archive around them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from evidence import archive, manifest, signature, trace
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
    if strange := archive.no_bundle(data):
        return Verdict([strange])
    verdict, layout = Verdict(), trace.read(data)
    seal, answer = _sealed(layout, signers)
    if (answer.signer or not layout.seals) and (other := manifest.other_schema(layout.listed)):
        return Verdict([f"{archive.MANIFEST} {other}"])
    verdict.signer = answer.signer
    known = manifest.read(layout.listed)
    files = _originals(known, layout, data)
    listed = layout.listed if answer.signer or files is None else manifest.render(files)
    touched = None if files is None else trace.first_touched(data, listed, seal, files)
    if touched:
        verdict.complaints.append(str(touched))
    elif files is None:
        verdict.complaints.append(_lost(data, layout))
    if isinstance(known, manifest.Manifest):
        _compare(known, archive.members(data), verdict, layout)
    else:
        verdict.complaints.append(f"{archive.MANIFEST} is no manifest that is read here: {known}")
    _judge_seal(layout, answer, touched, verdict)
    return verdict


def _lost(data: bytes, layout: trace.Layout) -> str:
    """Why nothing can be told of what was packed."""
    what = "what was packed cannot be told any more"
    if len(data) < archive.span(len(layout.listed)):
        return f"{what}: the archive ends after {len(data)} bytes, within its manifest"
    return f"{what}: more than one part was touched"


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > archive.MOST:
            raise Fault(
                f"{path} is larger than {archive.MOST} bytes", "a bundle is smaller", "check the file"
            )
        return path.read_bytes()
    except OSError as error:
        raise Fault(f"{path}: {error.strerror}", "a bundle is one tar file", "correct the path") from error


def _sealed(layout: trace.Layout, signers: Path) -> tuple[bytes | None, signature.Answer]:
    """The signature that holds, of the two that an archive has; the first one when none does."""
    if not layout.seals:
        return None, signature.Answer(reason="the manifest is not signed")
    answers = []
    for seal in layout.seals:
        answers.append(signature.verify(layout.listed, seal, signers))
        if answers[-1].signer:
            return seal, answers[-1]
    return layout.seals[0], answers[0]


def _originals(known: manifest.Manifest | str, layout: trace.Layout, data: bytes) -> dict[str, bytes] | None:
    """The files as they were packed; None when that cannot be told any more."""
    if isinstance(known, manifest.Manifest):
        found = {entry.path: manifest.original(entry, layout.files[entry.path]) for entry in known.files}
        known_files = {path: body for path, body in found.items() if body is not None}
        return known_files if len(known_files) == len(found) else None
    # An unreadable manifest was touched itself: it follows from the files.
    own = (archive.MANIFEST, archive.SIGNATURE, archive.SEAL_COPY)
    named = {name: body for name, body in archive.members(data)[0] if name not in own}
    return named if named and all(manifest.NAME.fullmatch(name) for name in named) else None


def _judge_seal(
    layout: trace.Layout, answer: signature.Answer, touched: trace.Touch | None, verdict: Verdict
) -> None:
    if answer.signer:
        return
    if not layout.seals:
        verdict.complaints.append(answer.reason)
        return
    hint = "" if touched else "; files and manifest agree, so manifest or signature was made anew or touched"
    verdict.complaints.append(f"the signature does not hold: {answer.reason}{hint}")


def _compare(
    known: manifest.Manifest,
    read: tuple[list[tuple[str, bytes]], str],
    verdict: Verdict,
    layout: trace.Layout,
) -> None:
    """What an ordinary reader of the archive finds beside what the manifest lists."""
    found, stopped = read
    own = (archive.MANIFEST, archive.SIGNATURE, archive.SEAL_COPY)
    names = [name for name, _ in found if name not in own]
    wanted = [entry.path for entry in known.files]
    bodies = dict(found)
    verdict.files = len(wanted)
    said = [
        text
        for entry in known.files
        if entry.path in bodies and (text := _touched(entry, bodies[entry.path], layout))
    ]
    said += [f"{name} is missing" for name in wanted if name not in bodies]
    said += [f"{name} is not in the manifest" for name in names if name not in wanted]
    twice = sorted({name for name in names if names.count(name) > 1})
    said += [f"{name} stands there {names.count(name)} times" for name in twice]
    if not said and names != wanted:
        first = next(a for a, b in zip(names, wanted, strict=True) if a != b)
        said.append(f"{first} stands in another place than it was packed")
    if stopped:
        said.append(f"the archive cannot be read to its end: {stopped}")
    verdict.complaints += [text for text in said if not any(c.startswith(text) for c in verdict.complaints)]


def _touched(entry: manifest.Entry, body: bytes, layout: trace.Layout) -> str:
    if manifest.intact(entry, body):
        return ""
    copy = manifest.original(entry, layout.files[entry.path])
    if copy is None:
        return f"{entry.path} is not as the manifest says, and both were touched"
    at = manifest.first_difference(copy, body)
    if at is None:
        return f"{entry.path} is not as the manifest says, which was touched"
    size = f"; it has {len(body)} bytes instead of {entry.size}" if len(body) != entry.size else ""
    return f"{entry.path}: first touched at byte {at}{size}"
