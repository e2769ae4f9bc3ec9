"""What a stack may ask for beyond the shipped ones, for real: a transit gateway, inspection, a way out of a
private tier, a third VPC that nothing is joined to. Provisioned, unchanged by a second run, green, red where
it is weakened, and removed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import forked
from tests.mutation.conftest import ROOT, STACK, Live
from tests.mutation.test_cloud_weakened import _round
from tests.mutation.weaknesses.network_options import WEAKNESSES


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with a changed stack file; the program itself is the shipped one."""
    folder = tmp_path_factory.mktemp("project")
    stack = yaml.safe_load((ROOT / f"Pulumi.{STACK}.yaml").read_text())
    config = stack["config"]
    config["stockade:transit"] = "transit_gateway"
    config["stockade:vpcs"]["customer"]["inspection"] = True
    out = {"from": ["app"], "to": ["internet"], "protocol": "tcp", "port": 443, "why": "a partner's service"}
    config["stockade:firewall"].append(out)
    config["stockade:vpcs"]["vault"] = {"cidr": "10.22.0.0/16", "tiers": ["isolated"]}
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump(stack))
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({**project, "main": str(ROOT)}))
    return folder


@pytest.fixture(scope="module")
def optioned(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The region of the changed stack; its removal is the last test."""
    from settings import load  # noqa: PLC0415
    from twin import account, program  # noqa: PLC0415 - loads the AWS SDK

    home = tmp_path_factory.mktemp("options")
    stack = load(STACK, root)
    running = account.start(STACK, str(stack.account), str(stack.region), root=home)
    try:
        with forked.programs():
            outputs = program.run(STACK, running, "up", root=root, build=home).outputs
        yield Live(home, outputs["region"], running.env)
        down = program.run(STACK, running, "down", root=root, build=home)
        assert set(down.counts()) == {"delete"}
    finally:
        account.stop(root=home)


def test_a_second_run_changes_nothing(optioned: Live, root: Path) -> None:
    from twin import account, program  # noqa: PLC0415

    running = account.find(optioned.home)
    assert running is not None
    with forked.programs():
        again = program.run(STACK, running, "up", root=root, build=optioned.home)
    assert [step for step in again.steps if step.step != "same"] == []


def test_every_control_holds_with_both_options(optioned: Live) -> None:
    code, red = optioned.verify()
    assert not red, optioned.why(red)
    assert code == 0
    assert optioned.report is not None
    judged = {(r.control, r.subject) for r in optioned.report.results}
    assert {
        ("STK-NET-005", "subnet/customer/private-a"),
        ("STK-NET-016", "vpc/customer"),
        ("STK-NET-036", "vpc/vault"),
        ("STK-NET-037", "vpc/customer"),
        ("STK-NET-038", "transit_gateway/transit"),
        ("STK-NET-039", "firewall/customer"),
    } <= judged


def test_each_weakness_of_an_option_turns_exactly_its_control_red(optioned: Live) -> None:
    waiting: list[Any] = list(WEAKNESSES)
    assert _round(optioned, waiting) == []
    code, red = optioned.verify()
    assert not red, optioned.why(red)
    assert code == 0
