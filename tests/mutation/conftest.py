"""A region of our own to break: an emulated account with the whole program run in it, and the suite over
it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from report.model import Report, Status
from tests import forked

ROOT = Path(__file__).resolve().parents[2]
STACK = "in-mumbai"
RED = (Status.FAIL, Status.ERROR)


@dataclass
class Live:
    """A provisioned region: its contract, AWS clients that change it, and the suite as users run it."""

    home: Path
    contract: dict[str, Any]
    env: dict[str, str]
    report: Report | None = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client of the account."""
        where = region or self.contract["region"]
        if (service, where) not in self._clients:
            config = Config(s3={"addressing_style": "path"})
            endpoint = self.env.get("AWS_ENDPOINT_URL_S3_CONTROL") if service == "s3control" else None
            make: Any = boto3.client
            self._clients[service, where] = make(
                service,
                region_name=where,
                endpoint_url=endpoint or self.env["AWS_ENDPOINT_URL"],
                aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
                config=config,
            )
        return self._clients[service, where]

    def verify(
        self, contract: dict[str, Any] | None = None, env: dict[str, str] | None = None
    ) -> tuple[int, set[tuple[str, str]]]:
        """Run tests/cloud; returns its exit code and the (control, subject) pairs that are red.

        `contract` promises something else than what was provisioned, `env` points somewhere else.
        """
        results = self.home / "results.json"
        (self.home / "region.json").write_text(json.dumps(contract or self.contract))
        words = ["-p", "no:cacheprovider", str(ROOT / "tests/cloud")]
        words += ["--region", str(self.home / "region.json"), "--results", str(results)]
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))
        }
        variables = clean | self.env | (env or {})
        done = forked.python("pytest", *words, cwd=ROOT, env=variables, timeout=1200)
        assert results.exists(), done.stdout + done.stderr
        self.report = Report.load(results)
        assert not self.report.faults, self.report.faults
        return done.returncode, {(r.control, r.subject) for r in self.report.results if r.status in RED}

    def why(self, pairs: set[tuple[str, str]]) -> str:
        """The messages of these results, for an assertion that failed."""
        assert self.report is not None
        found = (r for r in self.report.results if (r.control, r.subject) in pairs)
        return "\n".join(f"{r.control} {r.subject} {r.status}: {r.message[:200]}" for r in found)


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The region of the first stack file, provisioned by the real program in an account of its own."""
    from settings import load  # noqa: PLC0415
    from twin import account, program  # noqa: PLC0415 - loads the AWS SDK

    home = tmp_path_factory.mktemp("region")
    stack = load(STACK, ROOT)
    running = account.start(STACK, str(stack.account), str(stack.region), root=home)
    try:
        with forked.programs():
            outputs = program.run(STACK, running, "up", root=ROOT, build=home).outputs
        yield Live(home, outputs["region"], running.env)
    finally:
        account.stop(root=home)
