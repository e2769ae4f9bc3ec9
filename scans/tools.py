"""The scans: each runs a maintained tool and gives one outcome."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from scans import exceptions
from scans.record import Outcome, tracked

FRESH = timedelta(days=7)
"""How long an answer about known flaws stands in for one that cannot be had."""
_UNSEARCHED = re.compile(r"requirements\.lock|installer\.lock|tests/unit/published/.*|docs/generated/.*")
Found = tuple[str, list[str]]  # status, findings


def shell(root: Path, out: Path) -> Found:
    """shellcheck over every shell script, templates apart: those are no shell before they are rendered."""
    del out
    scripts = [
        path
        for path in tracked(root)
        if path.suffix in ("", ".sh") and re.match(rb"#!\s*\S*\b(sh|bash)\b", path.read_bytes()[:64])
    ]
    if not scripts:
        return "unknown", ["no shell script was found"]
    done = _run([_tool("shellcheck"), "--format=gcc", *map(str, scripts)], root)
    lines = [line.removeprefix(f"{root}/") for line in done.stdout.splitlines()]
    return ("found" if lines or done.returncode else "clean"), lines or done.stderr.splitlines()


def python(root: Path, out: Path) -> Found:
    """bandit over every Python file but the tests, whose assertions and made-up keys are their purpose."""
    files = [
        str(path.relative_to(root))
        for path in tracked(root)
        if path.suffix == ".py" and not path.is_relative_to(root / "tests")
    ]
    made = out / "bandit.json"
    options = ["-q", "-c", "pyproject.toml", "-f", "json", "-o", str(made)]
    done = _run([sys.executable, "-m", "bandit", *options, *files], root)
    nothing = {"errors": [done.stderr], "results": []}
    data: dict[str, Any] = json.loads(made.read_text()) if made.exists() else nothing
    if data["errors"]:
        return "unknown", [str(error) for error in data["errors"]]
    found = [(r["test_id"], r["filename"].removeprefix("./"), r["line_number"]) for r in data["results"]]
    lines = exceptions.left(found, exceptions.load(root).python)
    return ("found" if lines else "clean"), lines


def secrets(root: Path, out: Path) -> Found:
    """detect-secrets over the tracked files: what the baseline lists, all of it explained, and no more."""
    done = _searched(root)
    if done.returncode:
        return "unknown", done.stderr.splitlines()[-1:]
    (out / "secrets.json").write_text(done.stdout)
    found = _hashes(json.loads(done.stdout))
    known = _hashes(json.loads((root / ".secrets.baseline").read_text()))
    lines = [f"{path}: {kind}, not in .secrets.baseline" for kind, path, _ in sorted(set(found) - set(known))]
    lines += [
        f".secrets.baseline: {kind} is gone from {path}" for kind, path, _ in sorted(set(known) - set(found))
    ]
    return ("found" if (lines := lines + _unexplained(root, found)) else "clean"), lines


def _searched(root: Path) -> subprocess.CompletedProcess[str]:
    names = [path.relative_to(root).as_posix() for path in tracked(root)]
    names = [name for name in names if not _UNSEARCHED.fullmatch(name) and name != ".secrets.baseline"]
    return _run([sys.executable, "-m", "detect_secrets", "-c", "2", "scan", *names], root)


def baseline(root: Path) -> str:
    """.secrets.baseline of what is there now, without moment and lines, which move with every edit."""
    data = json.loads(_searched(root).stdout)
    data.pop("generated_at", None)
    for found in data["results"].values():
        for one in found:
            one.pop("line_number", None)
    return json.dumps(data, indent=1) + "\n"


def _hashes(data: dict[str, dict[str, list[dict[str, str]]]]) -> list[tuple[str, str, str]]:
    return [
        (one["type"], path, one["hashed_secret"]) for path, many in data["results"].items() for one in many
    ]


def _unexplained(root: Path, found: list[tuple[str, str, str]]) -> list[str]:
    return exceptions.left([(kind, path, 0) for kind, path, _ in found], exceptions.load(root).secrets)


def licences(root: Path, out: Path) -> Found:
    """pip-licenses over what is installed: allowed ones only, and docs/generated/licences.md is current."""
    rows = installed(root)
    rules = exceptions.load(root).licences
    lines = [
        f"{row['Name']} {row['Version']}: {row['License']} is not allowed"
        for row in rows
        if row["License"] not in rules.allowed and row["Name"] not in rules.single
    ]
    names = {row["Name"] for row in rows}
    lines += [f"scans/exceptions.yaml: {name} is not installed" for name in rules.single if name not in names]
    page = root / "docs" / "generated" / "licences.md"
    if not page.exists() or page.read_text() != licence_page(rows, rules):
        lines.append("docs/generated/licences.md is stale: python -m scans write")
    (out / "licences.json").write_text(json.dumps(rows, indent=1))
    return ("found" if lines else "clean"), lines


def installed(root: Path) -> list[dict[str, str]]:
    """Name, version and licence of every package of the lock that is installed, by name."""
    done = _run([sys.executable, "-m", "piplicenses", "--format=json", "--with-system", "--from=mixed"], root)
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (root / "requirements.lock").read_text(), re.M))
    rows: list[dict[str, str]] = json.loads(done.stdout)
    return sorted((row for row in rows if _key(row["Name"]) in locked), key=lambda row: _key(row["Name"]))


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_page(rows: list[dict[str, str]], rules: exceptions.Licences) -> str:
    """docs/generated/licences.md."""
    lines = [
        "<!-- Made by `python -m scans write`; a scan fails when it is stale. -->",
        "",
        "# Licences",
        "",
        "What the packages of requirements.lock are licensed under. Allowed licences and single exceptions:",
        "scans/exceptions.yaml.",
        "",
        "| package | version | licence | remark |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {r['Name']} | {r['Version']} | {r['License']} | {rules.single.get(r['Name'], '')} |" for r in rows
    ]
    return "\n".join(lines) + "\n"


def materials(root: Path, out: Path) -> Found:
    """A CycloneDX bill of materials from the lock, validated; made once for each lock."""
    lock, made, mark = root / "requirements.lock", out / "sbom.json", out / "sbom.lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if made.exists() and mark.exists() and mark.read_text() == digest:
        return "clean", []
    options = [
        "requirements",
        str(lock),
        "--pyproject",
        "pyproject.toml",
        "--output-reproducible",
        "--validate",
    ]
    argv = [sys.executable, "-m", "cyclonedx_py", *options, "--of", "JSON", "-o", str(made)]
    done = _run(argv, root)
    if done.returncode or not made.exists():
        return "unknown", done.stderr.splitlines()[-2:]
    listed = {_key(part["name"]) for part in json.loads(made.read_text())["components"]}
    wanted = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock.read_text(), re.M))
    lines = [f"{name} is locked and not in the bill of materials" for name in sorted(wanted - listed)]
    if not lines:
        mark.write_text(digest)
    return ("found" if lines else "clean"), lines


def flaws(root: Path, out: Path) -> Found:
    """pip-audit over the lock. Where its service is out of reach, the last answer about this very lock counts
    for a week; without one the outcome is unknown, which is not clean.
    """
    kept = out / "advisories.json"
    digest = hashlib.sha256((root / "requirements.lock").read_bytes()).hexdigest()
    before = json.loads(kept.read_text()) if kept.exists() else {}
    fresh = (
        before.get("lock") == digest and datetime.now(UTC) - datetime.fromisoformat(before["asked"]) < FRESH
    )
    if fresh and datetime.now(UTC) - datetime.fromisoformat(before["asked"]) < timedelta(hours=12):
        return _advised(before["answer"])
    argv = [
        sys.executable,
        "-m",
        "pip_audit",
        "-r",
        "requirements.lock",
        "--disable-pip",
        "--no-deps",
        "-f",
        "json",
    ]
    done = _run([*argv, "--progress-spinner", "off", "--timeout", "10"], root)
    try:
        answer = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        if fresh:
            return _advised(before["answer"])
        said = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return "unknown", [f"known flaws were not looked up: {said}"]
    status, lines = _advised(answer)
    if status == "unknown" and fresh:
        return _advised(before["answer"])
    if status != "unknown":
        asked = {"lock": digest, "asked": datetime.now(UTC).isoformat(), "answer": answer}
        kept.write_text(json.dumps(asked, indent=1))
    return status, lines


def _advised(answer: list[dict[str, Any]]) -> Found:
    """A mirror that serves packages without advisories makes pip-audit skip them, and end well: that is no
    answer, so it is not taken for one.
    """
    lines = [
        f"{one['name']} {one['version']}: {flaw['id']}" for one in answer for flaw in one.get("vulns", [])
    ]
    skipped = [str(one["name"]) for one in answer if one.get("skip_reason")]
    if lines:
        return "found", lines
    if skipped or not answer:
        return "unknown", [
            f"{len(skipped)} of {len(answer)} packages could not be looked up at the index in use"
        ]
    return "clean", []


SCANS: dict[str, tuple[str, Callable[[Path, Path], Found]]] = {
    "secrets": ("detect-secrets", secrets),
    "bill of materials": ("cyclonedx-bom", materials),
    "python": ("bandit", python),
    "known flaws": ("pip-audit", flaws),
    "licences": ("pip-licenses", licences),
    "shell": ("shellcheck", shell),
}


def run(name: str, root: Path, out: Path) -> Outcome:
    """One scan; a tool that is missing or breaks gives `unknown`, never a clean outcome."""
    tool, scan = SCANS[name]
    begun = time.monotonic()
    try:
        status, findings = scan(root, out)
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        status, findings = "unknown", [f"{type(error).__name__}: {error}"]
    took = round(time.monotonic() - begun, 1)
    return Outcome.model_validate(
        {"scan": name, "tool": tool, "status": status, "findings": findings, "seconds": took}
    )


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise OSError(f"{name} is not installed")
    return found


def _run(argv: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, timeout=300)
