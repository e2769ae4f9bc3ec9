"""A small bundle, a key that signs it, and what the check says of what was made of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from evidence import manifest, signature
from evidence.check import check

FILES = {
    "a.txt": b"first " * 40,
    "empty": b"",
    "facts/node-1.json": bytes(range(256)) * 3,
    "results.json": b"{}\n",
}
LISTED = manifest.render(FILES)
WHOLE = 10240  # bytes of the archive of these files, signed by an ed25519 key


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key made for this test, with the signers that believe it beside it."""
    folder = tmp_path_factory.mktemp("key")
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "auditor", "-f", str(folder / "key")]
    subprocess.run(argv, check=True)
    public = (folder / "key.pub").read_text()
    (folder / "signers").write_text(f'auditor@example namespaces="{signature.NAMESPACE}" {public}')
    return folder / "key"


@pytest.fixture(scope="module")
def seal(key: Path) -> bytes:
    return signature.sign(LISTED, key)


def verdict(tmp_path: Path, data: bytes, key: Path) -> list[str]:
    path = tmp_path / "bundle.tar"
    path.write_bytes(data)
    return check(path, key.with_name("signers")).complaints


def first_other(whole: bytes, touched: bytes) -> int:
    """The first byte that is another, found the slow way."""
    pairs = enumerate(zip(whole, touched, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(whole), len(touched)))


def named_byte(said: list[str]) -> int:
    found = re.search(r"byte (\d+) of the archive", said[0])
    assert found, said
    return int(found[1])
