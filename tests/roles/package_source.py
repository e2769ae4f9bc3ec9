"""Builds real, signed apt repositories with packages of our own, for tests of patching."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A package that installs one file.

    `postinst` is a shell script, empty for none; `changelog` pairs a version with the text of its entry, the
    newest first; `control` is further fields of its control file, a line each; `files` are further files by
    their path, executable when they begin with `#!`.
    """

    name: str
    version: str
    postinst: str = ""
    changelog: tuple[tuple[str, str], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    control: str = ""

    def changes(self) -> str:
        """Its changelog as Debian writes it."""
        return "\n".join(
            f"{self.name} ({version}) stable; urgency=high\n\n  * {text}\n\n"
            " -- Tests <t@example.org>  Sun, 22 Nov 2026 00:00:00 +0000\n"
            for version, text in self.changelog
        )


def build_package(package: Package, directory: Path) -> Path:
    """A .deb made by dpkg-deb."""
    tree = directory / f"{package.name}_{package.version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\n"
        "Maintainer: Tests <t@example.org>\nDescription: made by a test\n"
        f"{package.control}"
    )
    contents = {f"usr/share/stk/{package.name}": package.version + "\n", **package.files}
    if package.changelog:
        contents[f"usr/share/doc/{package.name}/changelog"] = package.changes()
    if package.postinst:
        contents["DEBIAN/postinst"] = f"#!/bin/sh\nset -e\n{package.postinst}\n"
    for name, text in contents.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if text.startswith("#!") else 0o644)
    made = directory / f"{package.name}_{package.version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, made], check=True, capture_output=True)
    return made


class Key:
    """An OpenPGP key of its own keyring, without a passphrase, gone with its directory."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
        create = ["--quick-generate-key", "Tests <t@example.org>", "ed25519", "sign", "1d"]
        subprocess.run([*self._gpg, "--passphrase", "", *create], check=True, capture_output=True)
        self.public = subprocess.run([*self._gpg, "--export"], check=True, capture_output=True).stdout

    def sign(self, text: str) -> str:
        """The text as a clear-signed document, as apt's InRelease wants it."""
        done = subprocess.run(
            [*self._gpg, "--clearsign"], input=text, text=True, check=True, capture_output=True
        )
        return done.stdout


def build_suite(
    directory: Path, label: str, packages: list[Package], key: Key | None, *, age: int = 0
) -> None:
    """A flat repository `directory` of that label, its index signed by the key, or unsigned without one.

    `age`: how many seconds ago it says that it was made; apt takes no older index than the one it knows.
    """
    directory.mkdir(parents=True)
    index = ""
    for package in packages:
        made = build_package(package, directory)
        content = made.read_bytes()
        control = subprocess.run(["dpkg-deb", "--field", made], check=True, capture_output=True, text=True)
        index += control.stdout.rstrip() + f"\nFilename: ./{made.name}\nSize: {len(content)}\n"
        index += f"SHA256: {hashlib.sha256(content).hexdigest()}\n\n"
    (directory / "Packages").write_text(index)
    digest = hashlib.sha256(index.encode()).hexdigest()
    release = f"Origin: Debian\nLabel: {label}\nSuite: stable\nCodename: bookworm\n"
    release += f"Date: {formatdate(time.time() - age, usegmt=True)}\n"
    release += f"Architectures: amd64 all\nSHA256:\n {digest} {len(index.encode())} Packages\n"
    if key is None:
        (directory / "Release").write_text(release)
    else:
        (directory / "InRelease").write_text(key.sign(release))


def as_text(directory: Path) -> str:
    """The directory as base64 of a tar archive, small enough to travel in a command."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for path in sorted(directory.rglob("*")):
            if path.suffix in (".deb", "") and path.is_file() and not _unpacked(path, directory):
                archive.add(path, path.relative_to(directory))
    return base64.b64encode(buffer.getvalue()).decode()


def _unpacked(path: Path, directory: Path) -> bool:
    """Whether the file belongs to a tree that a package was made from."""
    return any((parent / "DEBIAN").is_dir() for parent in path.parents if parent.is_relative_to(directory))
