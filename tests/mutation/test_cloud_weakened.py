"""Every weakness turns exactly the controls red that speak of it, on exactly the subject it sits on.

Weaknesses that touch different pairs of control and subject are put in together, because the suite says
for each pair what it found; their sum has to be the whole difference to a green run.
"""

from __future__ import annotations

import copy
import socket
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.weaknesses import (
    compute,
    detection,
    edge,
    egress,
    identity,
    ipv6,
    logs,
    network,
    network_services,
    storage,
    teams,
    vpn,
    watch,
)
from tests.mutation.weaknesses.pairs import Pairs, Weakness, account, node_of

# Areas that touch different things are weakened together; what one removes, another may need.
GROUPS = {
    "storage, network, teams": (storage, network, teams),
    "detection, names, tunnels, compute": (detection, network_services, vpn, compute),
    "watch, edge, ways out, identity, logs": (watch, edge, egress, ipv6, identity, logs),
}
MOST_ROUNDS = 4


def test_the_region_as_provisioned_is_green(live: Any) -> None:
    code, red = live.verify()
    assert not red, live.why(red)
    assert code == 0


@pytest.mark.parametrize("group", GROUPS)
def test_each_weakness_turns_exactly_its_controls_red(live: Any, group: str) -> None:
    """As many at once as do not touch the same pair; the rest in another round."""
    waiting, rounds = [weakness for area in GROUPS[group] for weakness in area.WEAKNESSES], 0
    while waiting:
        rounds += 1
        assert rounds <= MOST_ROUNDS, f"weaknesses that never fit together: {[w.__name__ for w in waiting]}"
        waiting = _round(live, waiting)


def _round(live: Any, waiting: list[Weakness]) -> list[Weakness]:
    """Put in what fits, look, repair; returns what did not fit."""
    expected: Pairs = set()
    left: list[Weakness] = []
    with ExitStack() as repairs:
        for weaken in waiting:
            with ExitStack() as alone:
                pairs = alone.enter_context(contextmanager(weaken)(live))
                if pairs & expected:
                    left.append(weaken)
                    continue  # repaired at once
                repairs.push(alone.pop_all())
            expected |= pairs
        code, red = live.verify()
    assert not red - expected, "red without a weakness:\n" + live.why(red - expected)
    assert not expected - red, f"not seen: {sorted(expected - red)}"
    assert code in (1, 3)
    return left


def test_the_repaired_region_is_green_again(live: Any) -> None:
    code, red = live.verify()
    assert not red, live.why(red)
    assert code == 0


def test_what_the_contract_promises_and_the_account_lacks_is_red(live: Any) -> None:
    contract = copy.deepcopy(live.contract)
    contract["buckets"]["attic"] = {"name": "nobody-made-this"}
    contract["nodes"].append(
        {**node_of(live, "edge"), "name": "edge-z-9", "instance_id": "i-00000000000000000"}
    )
    code, red = live.verify(contract)
    assert code == 1
    assert {subject for _, subject in red} == {"bucket/attic", "instance/edge-z-9"}
    assert "nobody-made-this of the region contract is not in the account" in live.why(red)


def test_what_the_contract_names_outside_the_allowed_regions_is_red(live: Any) -> None:
    contract = {**live.contract, "elsewhere": "arn:aws:sqs:us-east-1:111122223333:copy"}
    code, red = live.verify(contract)
    assert red == account(live, "REG-002"), live.why(red)
    assert code == 1


def test_credentials_of_another_account_prove_nothing(live: Any) -> None:
    """A green report about the wrong account would be the worst: everything promised is missing there."""
    role = "arn:aws:iam::999999999999:role/theirs"
    theirs = live.client("sts").assume_role(RoleArn=role, RoleSessionName="lost")["Credentials"]
    names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey"}
    env = {name: theirs[key] for name, key in names.items()} | {"AWS_SESSION_TOKEN": theirs["SessionToken"]}
    code, red = live.verify(env=env)
    assert code != 0
    assert account(live, "REG-001") <= red
    assert {("STK-BKT-001", "bucket/evidence"), ("STK-CMP-001", "instance/edge-a-1")} <= red


def test_an_account_that_does_not_answer_proves_nothing(live: Any) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody else takes it meanwhile
        dead = f"http://localhost:{reserved.getsockname()[1]}"
        code, red = live.verify(env={"AWS_ENDPOINT_URL": dead, "AWS_ENDPOINT_URL_S3_CONTROL": dead})
    assert code == 3
    judged = {(r.control, r.subject) for r in live.report.results}
    assert {control for control, _ in judged - red} <= {"STK-REG-002"}, "only the contract itself can be read"
    assert all("Could not connect" in r.message for r in live.report.results if (r.control, r.subject) in red)


def test_every_area_is_weakened() -> None:
    files = {path.stem for path in Path(__file__).with_name("weaknesses").glob("*.py")}
    used = {area.__name__.rpartition(".")[2] for group in GROUPS.values() for area in group}
    assert files - {"pairs", "network_options", "nodes"} == used
