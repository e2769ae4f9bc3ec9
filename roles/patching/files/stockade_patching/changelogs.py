"""CVE identifiers that an update is said to fix: from Debian changelogs, of the versions between only."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

DOCUMENTS = Path("/usr/share/doc")
ENTRY = re.compile(r"^\S+ \(([^()\s]+)\) [^;]*;", re.MULTILINE)
CVE = re.compile(r"\bCVE-\d{4}-\d{4,7}\b", re.IGNORECASE)


def newer(left: str, right: str) -> bool:
    """Whether a Debian version is newer than another one; dpkg is the judge."""
    command = ["dpkg", "--compare-versions", left, "gt", right]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def entries(text: str) -> list[tuple[str, str]]:
    """(version, text) of every entry of a changelog, in its order: the newest first."""
    heads = list(ENTRY.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [(head[1], text[head.start() : end]) for head, end in zip(heads, ends, strict=True)]


def between(text: str, before: str, after: str) -> list[str]:
    """Sorted CVE identifiers named by entries newer than `before` and not newer than `after`."""
    found: set[str] = set()
    for version, entry in entries(text):
        if not newer(version, before):
            break  # older entries follow; asking dpkg about decades of them would take seconds
        if not newer(version, after):
            found.update(name.upper() for name in CVE.findall(entry))
    return sorted(found)


def installed(package: str) -> str | None:
    """The changelog that the installed package brought, None if the node has none of it."""
    name = package.partition(":")[0]
    for file in ("changelog.Debian.gz", "changelog.gz", "changelog.Debian", "changelog"):
        path = DOCUMENTS / name / file
        if path.is_file():
            content = path.read_bytes()
            return (gzip.decompress(content) if file.endswith(".gz") else content).decode(errors="replace")
    return None


def fixed(package: str, before: str, after: str) -> tuple[list[str], str]:
    """(CVE identifiers, "read" or "missing"): an absent changelog is not the same as no fix."""
    text = installed(package)
    return ([], "missing") if text is None else (between(text, before, after), "read")
