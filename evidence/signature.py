"""Signatures by OpenSSH (`ssh-keygen -Y`): detached, with a namespace of our own, against allowed signers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fault import Fault

NAMESPACE = "stockade-evidence"


@dataclass(frozen=True)
class Answer:
    """Who signed, or why nobody did that counts."""

    signer: str = ""
    reason: str = ""


def sign(data: bytes, key: Path) -> bytes:
    """The signature over `data` by a private key, or by its public half when an agent holds the private one.

    Raises Fault when the key cannot be used.
    """
    if not key.is_file():
        raise Fault(f"{key} is no file", "a bundle is signed by an ssh key", "name the key: --key FILE")
    with tempfile.TemporaryDirectory() as folder:
        message = Path(folder) / "manifest.json"
        message.write_bytes(data)
        done = _run(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(message)])
        made = message.with_name(message.name + ".sig")
        if done.returncode or not made.exists():
            raise Fault(
                f"{key} signs nothing: {_said(done)}", "ssh-keygen signs", "unlock it or name another key"
            )
        return made.read_bytes()


def verify(data: bytes, seal: bytes, signers: Path) -> Answer:
    """Who of the allowed signers signed `data`. Raises Fault when the list of signers cannot be read."""
    if not signers.is_file():
        rule = "whom to believe is stated by the one who checks, never by the bundle"
        raise Fault(f"{signers} is no file", rule, "name it: --signers FILE (format: man ssh-keygen)")
    with tempfile.TemporaryDirectory() as folder:
        seal_file = Path(folder) / "seal.sig"
        seal_file.write_bytes(seal)
        found = _run(["-Y", "find-principals", "-f", str(signers), "-s", str(seal_file)])
        names = found.stdout.decode(errors="replace").split("\n")[0].strip()
        if found.returncode or not names:
            return Answer(reason="no allowed signer made it")
        options = ["-f", str(signers), "-I", names, "-n", NAMESPACE, "-s", str(seal_file)]
        done = _run(["-Y", "verify", *options], data)
        return Answer(reason=_said(done)) if done.returncode else Answer(signer=names)


def _run(options: list[str], data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    tool = shutil.which("ssh-keygen")
    if tool is None:
        raise Fault("ssh-keygen is missing", "OpenSSH signs and verifies", "apt install openssh-client")
    return subprocess.run([tool, *options], input=data or b"", capture_output=True, check=False, timeout=60)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr or done.stdout).decode(errors="replace").strip()
    return text.splitlines()[-1] if text else f"ssh-keygen ended with {done.returncode}"
