"""What goes into a bundle: results, the raw facts behind them, and everything they were judged by."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

from fault import Fault
from report.model import Report
from verify.evidence import redact

CATALOGUE = ("controls/catalogue", "controls/frameworks", "controls/waivers", "controls/profiles")
LISTS = ("controls/rows.yaml", "controls/sources.yaml")


def gather(results: Path, root: Path, procedures: Path | None = None) -> dict[str, bytes]:
    """Path in the bundle → content. Raises Fault for no results, or for a secret in them."""
    try:
        report = Report.load(results)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise Fault(f"{results}: {said}", "a bundle holds one run", "run `make verify` first") from error
    files = {"results.json": results.read_bytes(), "region.json": _json(report.region)}
    files |= _facts(report)
    files |= _below(root, CATALOGUE, LISTS)
    if procedures is not None:
        files |= {
            f"procedures/{_plain(path.relative_to(procedures).as_posix())}": path.read_bytes()
            for path in sorted(procedures.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }
    for name in ("scans.json", "sbom.json"):
        made = root / "build" / "scans" / name
        if made.exists():
            files[f"scans/{name}"] = made.read_bytes()
    files["run.json"] = _json(_run(report, files, root))
    return files


def _facts(report: Report) -> dict[str, bytes]:
    """`facts/<subject>.json`: for each control what was read on it, as it was read."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = defaultdict(dict)
    for result in report.results:
        if redact(result.evidence) != result.evidence:
            raise Fault(
                f"{result.control} on {result.subject}: its evidence holds something like a secret",
                "no secret leaves by a bundle",
                "teach verify/evidence.py to remove it and verify again",
            )
        fact = {"test": result.test, "status": result.status.value, "message": result.message}
        fact["read"] = result.evidence
        found[result.subject].setdefault(result.control, []).append(fact)
    return {f"facts/{_plain(subject)}.json": _json(facts) for subject, facts in found.items()}


def _below(root: Path, folders: tuple[str, ...], lists: tuple[str, ...]) -> dict[str, bytes]:
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.yaml"))]
    paths += [root / name for name in lists if (root / name).exists()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def _plain(name: str) -> str:
    """A subject's id as a path: what is not plain becomes its hash, so that two names never meet."""
    plain = re.sub(r"[^A-Za-z0-9._/-]", "_", name).replace("/", "-").lstrip(".-")
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain[:60]}-{mark}"


def _run(report: Report, files: dict[str, bytes], root: Path) -> dict[str, Any]:
    catalogue = hashlib.sha256()
    for path in sorted(path for path in files if path.startswith("controls/")):
        catalogue.update(path.encode() + b"\0" + hashlib.sha256(files[path]).digest())
    return {
        "schema": "stockade/evidence/1",
        "stack": report.run.stack,
        "region": report.run.region,
        "account": report.run.account,
        "started": report.run.started.isoformat(),
        "scope": report.run.scope,
        "judged_by": report.run.catalogue,
        "catalogue_files": catalogue.hexdigest(),
        "commit_of_run": report.run.commit,
        "commit": _git(root, "rev-parse", "HEAD"),
        "changed_since_commit": (_git(root, "status", "--porcelain", "-uno") or "").splitlines(),
        "exit_code": report.exit_code(),
        "counts": {status.value: number for status, number in report.counts().items()},
    }


def _git(root: Path, *arguments: str) -> str | None:
    answer = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    return answer.stdout.strip() if answer.returncode == 0 else None


def _json(data: object) -> bytes:
    return json.dumps(data, indent=1, sort_keys=True, default=str).encode() + b"\n"
