"""Builds a real, signed apt repository with packages of our own, for tests of patching."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A package without dependencies that installs one file; `postinst` is a shell script, empty for none."""

    name: str
    version: str
    postinst: str = ""


def build_package(package: Package, directory: Path) -> Path:
    """A .deb made by dpkg-deb."""
    tree = directory / f"{package.name}_{package.version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "usr/share/stk").mkdir(parents=True)
    (tree / "usr/share/stk" / package.name).write_text(package.version + "\n")
    (tree / "DEBIAN/control").write_text(
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: all\n"
        "Maintainer: Tests <t@example.org>\nDescription: made by a test\n"
    )
    if package.postinst:
        script = tree / "DEBIAN/postinst"
        script.write_text(f"#!/bin/sh\nset -e\n{package.postinst}\n")
        script.chmod(0o755)
    made = directory / f"{package.name}_{package.version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, made], check=True, capture_output=True)
    return made


class Key:
    """An OpenPGP key of its own keyring, without a passphrase, gone with its directory."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self._gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback"]
        create = [
            "--passphrase",
            "",
            "--quick-generate-key",
            "Tests <t@example.org>",
            "ed25519",
            "sign",
            "1d",
        ]
        subprocess.run([*self._gpg, *create], check=True, capture_output=True)
        self.public = subprocess.run([*self._gpg, "--export"], check=True, capture_output=True).stdout

    def sign(self, text: str) -> str:
        """The text as a clear-signed document, as apt's InRelease wants it."""
        done = subprocess.run(
            [*self._gpg, "--clearsign"], input=text, text=True, check=True, capture_output=True
        )
        return done.stdout


def build_suite(directory: Path, label: str, packages: list[Package], key: Key) -> None:
    """A flat repository `directory` of that label, its index signed."""
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
    release += f"Date: {formatdate(usegmt=True)}\n"
    release += f"Architectures: amd64 all\nSHA256:\n {digest} {len(index.encode())} Packages\n"
    (directory / "InRelease").write_text(key.sign(release))


def as_text(directory: Path) -> str:
    """The directory as base64 of a tar archive, small enough to travel in a command."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for path in sorted(directory.rglob("*")):
            if path.suffix in (".deb", "") and path.is_file() and "DEBIAN" not in path.parts:
                archive.add(path, path.relative_to(directory))
    return base64.b64encode(buffer.getvalue()).decode()
