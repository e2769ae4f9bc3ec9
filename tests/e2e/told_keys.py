"""Where a pre-shared key could be told: the files that a run leaves, and the arguments of every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from twin import account, program

ROOT = Path(__file__).resolve().parents[2]


class Arguments(threading.Thread):
    """Looks at the arguments of every process of this machine, again and again, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[bytes] = set()
        self.looks = 0
        self._over = threading.Event()

    def run(self) -> None:
        """Look."""
        while not self._over.wait(0.1):
            self.looks += 1
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue  # it ended between the two

    def __enter__(self) -> Arguments:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def telling(self, keys: list[str]) -> list[bytes]:
        """Arguments that held a key."""
        return [text for text in self.seen if any(key.encode() in text for key in keys)]


@dataclass
class Written:
    """All that one provisioning, preview and verification left, and the keys it must not hold."""

    home: Path
    keys: list[str]
    arguments: Arguments

    def telling(self) -> list[str]:
        """Names of the files that hold a key, below the home of everything that was written."""
        keys = [key.encode() for key in self.keys]
        files = [path for path in self.home.rglob("*") if path.is_file()]
        return sorted(
            str(path.relative_to(self.home))
            for path in files
            if any(key in path.read_bytes() for key in keys)
        )


def use(home: Path, live: account.Account, made: program.Run, plan: program.Run) -> None:
    """Write contract and plan, verify the connections and render the report, as users do."""
    (home / "region.json").write_text(json.dumps(made.outputs["region"]))
    (home / "preview.txt").write_text("\n".join(map(str, plan.steps)) + str(plan.outputs))
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    files = ["--region", str(home / "region.json"), "--results", str(home / "report/results.json")]
    _run(home, clean | live.env, "pytest", "-p", "no:cacheprovider", "tests/cloud/test_vpn.py", *files)
    _run(home, dict(os.environ), "report", str(home / "report/results.json"))


def _run(home: Path, environment: dict[str, str], *module: str) -> None:
    argv = [sys.executable, "-m", *module]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    (home / f"{module[0]}.log").write_text(done.stdout + done.stderr)
