"""A small Pulumi project on disk, an emulated account for it, and ways to look at both."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from twin import account, program
from twin.program.aws import Clients

ACCOUNT, REGION, STACK = "111122223333", "eu-central-1", "small"
IMAGE = account.Image("ami-0f00000000000000a", "136693071363")
PRELUDE = f"""
import pulumi
import pulumi_aws as aws

provider = aws.Provider(
    "aws",
    region="{REGION}",
    allowed_account_ids=["{ACCOUNT}"],
    default_tags=aws.ProviderDefaultTagsArgs(tags={{"owner": "tests"}}),
)
mine = pulumi.ResourceOptions(provider=provider)
"""


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[account.Account]:
    """One emulated account for the tests of a module; each test has a project, and so a state, of its own."""
    build = tmp_path_factory.mktemp("account")
    yield account.start(STACK, ACCOUNT, REGION, build, image=IMAGE)
    account.stop(build)


@pytest.fixture
def project(tmp_path: Path, emulated: account.Account) -> Project:
    """An empty project beside the module's account."""
    return Project(tmp_path, emulated)


def clients(emulated: account.Account) -> Clients:
    """boto3 clients for an account."""
    return Clients(emulated.endpoint, emulated.id, emulated.region, ("twin", "twin"))


@dataclass
class Project:
    """A project folder and how to run it."""

    root: Path
    account: account.Account

    def __post_init__(self) -> None:
        (self.root / "Pulumi.yaml").write_text("name: sample\nruntime: python\n")
        (self.root / f"Pulumi.{STACK}.yaml").write_text("config: {sample:colour: blue}\n")

    def write(self, body: str, prelude: str = PRELUDE) -> None:
        """Set the program."""
        (self.root / "__main__.py").write_text(prelude + textwrap.dedent(body))

    def run(self, mode: program.Mode = "up", body: str | None = None) -> program.Run:
        """Run it, after setting the program when one is given."""
        if body is not None:
            self.write(body)
        return program.run(STACK, self.account, mode, root=self.root)

    @property
    def folder(self) -> Path:
        """Where the state lies."""
        return self.root / "build" / "region" / STACK

    def state(self) -> dict[str, dict[str, Any]]:
        """The state's records by resource name."""
        data = json.loads((self.folder / "state.json").read_text())
        return {record["name"]: record for record in data["resources"]}

    def ec2(self) -> Any:
        """An EC2 client."""
        return clients(self.account).client("ec2")


def steps(run: program.Run) -> dict[str, str]:
    """What happened, by the resource's name."""
    return {step.urn.rpartition("::")[2]: step.step for step in run.steps}
