"""No pre-shared key leaves Secrets Manager: not into state, preview, log or report, nor into an argument.

The whole program makes the connections; the keys are read from the account afterwards and looked for in all
that was written, and in what every process was called with. The same look has to find a planted key.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

import settings
from twin import account, program

ROOT = Path(__file__).resolve().parents[2]
STACK = "eu-frankfurt"


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
    said: str
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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    home = tmp_path_factory.mktemp("secrecy")
    stated = settings.load(STACK, ROOT)
    arguments = Arguments()
    live = account.start(STACK, stated.account, stated.region, root=home)
    try:
        with arguments:
            made = program.run(STACK, live, "up", root=ROOT, build=home)
            plan = program.run(STACK, live, "preview", root=ROOT, build=home)
            (home / "region.json").write_text(json.dumps(made.outputs["region"]))
            (home / "preview.txt").write_text("\n".join(map(str, plan.steps)) + str(plan.outputs))
            said = _verify(home, live) + _report(home)
        yield Written(home, _keys(live, stated.region), said, arguments)
    finally:
        account.stop(root=home)


def _verify(home: Path, live: account.Account) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    files = ["--region", str(home / "region.json"), "--results", str(home / "report/results.json")]
    return _run(home, clean | live.env, "pytest", "-p", "no:cacheprovider", "tests/cloud/test_vpn.py", *files)


def _report(home: Path) -> str:
    return _run(home, dict(os.environ), "report", str(home / "report/results.json"))


def _run(home: Path, environment: dict[str, str], *module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    (home / f"{module[0]}.log").write_text(said)
    return said


def _keys(live: account.Account, region: str) -> list[str]:
    session = boto3.Session("testing", "testing", region_name=region)
    vault = session.client("secretsmanager", endpoint_url=live.endpoint)
    names = [s["ARN"] for s in vault.list_secrets()["SecretList"] if s["Name"].startswith("s2svpn!")]
    secrets = [json.loads(vault.get_secret_value(SecretId=name)["SecretString"]) for name in names]
    return [key for secret in secrets for key in secret.values()]


def test_there_is_something_to_look_for_and_somewhere_to_look(written: Written) -> None:
    sites = settings.load(STACK, ROOT).sites
    assert len(set(written.keys)) == 2 * sum(len(site.vpcs) for site in sites.values())
    names = {path.name for path in written.home.rglob("*") if path.is_file()}
    assert {"state.json", "region.json", "preview.txt", "results.json", "index.html", "pytest.log"} <= names
    assert written.arguments.looks > 10
    assert any(b"pytest" in text and b"tests/cloud" in text for text in written.arguments.seen)


def test_no_key_is_in_state_preview_log_or_report(written: Written) -> None:
    assert written.telling() == []


@pytest.mark.parametrize(
    "place", ["region/eu-frankfurt/state.json", "preview.txt", "pytest.log", "report/results.json"]
)
def test_a_planted_key_is_found_in_each_of_the_four(written: Written, place: str) -> None:
    path = written.home / place
    before = path.read_bytes()
    try:
        path.write_bytes(before + f'{{"key": "{written.keys[-1]}"}}'.encode())
        assert written.telling() == [place]
    finally:
        path.write_bytes(before)


def test_no_process_was_called_with_a_key_and_a_planted_one_is_found(written: Written) -> None:
    assert written.arguments.telling(written.keys) == []
    with Arguments() as looking:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(1)", written.keys[0]], check=True)
    assert len(looking.telling(written.keys)) == 1
