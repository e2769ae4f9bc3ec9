"""Removes the default VPC of every allowed region, once, before a stack's first `pulumi up`.

An account opened by hand comes with a VPC in every region whose subnets hand out public addresses. Nobody
planned it, so it goes (STK-NET-001). `python -m network.default_vpc --stack STACK` says what would go;
`--apply` removes it, with the credentials of the usual AWS environment. Nothing at all is removed when
something still lives in one of them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import fault
import settings
from fault import Fault

# Bounded: every call ends within these, and a refused one is tried again twice at most.
_BOUNDS = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3, "mode": "standard"})
# What may live in a VPC without an interface in it: describing operation, member of its answer, id.
_TENANTS = (
    ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "vpc-id"),
    ("describe_nat_gateways", "NatGateways", "NatGatewayId", "vpc-id"),
    ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", "vpc-id"),
    ("describe_vpn_gateways", "VpnGateways", "VpnGatewayId", "attachment.vpc-id"),
    (
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        "requester-vpc-info.vpc-id",
    ),
    (
        "describe_vpc_peering_connections",
        "VpcPeeringConnections",
        "VpcPeeringConnectionId",
        "accepter-vpc-info.vpc-id",
    ),
)
_ENDED = {"deleted", "deleting", "rejected", "expired", "failed"}


@dataclass(frozen=True)
class Step:
    """One removal: the region, the call with its parameters, and what it does, in words."""

    region: str
    operation: str
    parameters: dict[str, str]
    words: str


def plan(region: str, ec2: Any) -> list[Step]:
    """What removes a region's default VPC, in the order AWS takes it; empty when there is none.

    Raises Fault when anything but what AWS itself put there lives in it.
    """
    steps: list[Step] = []
    for vpc in ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]:
        identity = vpc["VpcId"]
        tenants = _tenants(ec2, identity)
        if tenants:
            raise Fault(
                f"{region}: {', '.join(tenants)} in the default VPC {identity}",
                "a default VPC is removed only when nothing lives in it, and then in all regions",
                "move it to a planned VPC or delete it, then run again",
                fault.CONTROL_FAILED,
            )
        steps += _steps(region, ec2, identity)
    return steps


def _tenants(ec2: Any, vpc: str) -> list[str]:
    found: dict[str, None] = {}
    for operation, member, identity, name in _TENANTS:
        word = "Filter" if operation == "describe_nat_gateways" else "Filters"
        asked: dict[str, Any] = {word: [{"Name": name, "Values": [vpc]}]}
        for item in _all(ec2, operation, asked).get(member, []):
            status = item.get("Status")  # a peering's is a structure
            state = status.get("Code") if isinstance(status, dict) else item.get("State")
            if str(state).lower() not in _ENDED:
                found[item[identity]] = None
    return [*found, *_groups(ec2, vpc)]


def _all(ec2: Any, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
    if not ec2.can_paginate(operation):
        return dict(getattr(ec2, operation)(**asked))
    return dict(ec2.get_paginator(operation).paginate(**asked).build_full_result())


def _groups(ec2: Any, vpc: str) -> list[str]:
    """Security groups that somebody made."""
    asked = [{"Name": "vpc-id", "Values": [vpc]}]
    groups = ec2.describe_security_groups(Filters=asked)["SecurityGroups"]
    return [group["GroupId"] for group in groups if group["GroupName"] != "default"]


def _steps(region: str, ec2: Any, vpc: str) -> list[Step]:
    def of(word: str) -> list[dict[str, Any]]:
        return [{"Name": word, "Values": [vpc]}]

    steps = []
    for subnet in ec2.describe_subnets(Filters=of("vpc-id"))["Subnets"]:
        identity, zone = subnet["SubnetId"], subnet["AvailabilityZone"]
        words = f"subnet {identity} in {zone}"
        steps.append(Step(region, "delete_subnet", {"SubnetId": identity}, f"delete {words}"))
    for gateway in ec2.describe_internet_gateways(Filters=of("attachment.vpc-id"))["InternetGateways"]:
        identity = gateway["InternetGatewayId"]
        known = {"InternetGatewayId": identity}
        both = {**known, "VpcId": vpc}
        words = f"internet gateway {identity}"
        steps.append(Step(region, "detach_internet_gateway", both, f"detach {words} from {vpc}"))
        steps.append(Step(region, "delete_internet_gateway", known, f"delete {words}"))
    # Its route table, network ACL and default security group go with it.
    steps.append(Step(region, "delete_vpc", {"VpcId": vpc}, f"delete VPC {vpc}"))
    return steps


def empty(config: settings.Settings, *, apply: bool, session: Any = None) -> list[str]:
    """One line for each step of all allowed regions, done when `apply`.

    Raises Fault: the credentials are of another account (2), something lives in a default VPC (1), AWS does
    not answer or refuses (3).
    """
    session = session or boto3.session.Session()
    where = str(config.region)
    try:
        _check_account(config, session, where)
        clients = {
            str(region): session.client("ec2", region_name=str(region), config=_BOUNDS)
            for region in config.residency.allowed_regions
        }
        plans = {}
        for where, client in clients.items():
            plans[where] = plan(where, client)
        lines = []
        for where, steps in plans.items():
            lines += [] if steps else [f"{where}: no default VPC"]
            for step in steps:
                if apply:
                    getattr(clients[where], step.operation)(**step.parameters)
                lines.append(f"{where}: {'' if apply else 'would '}{step.words}")
    except (BotoCoreError, ClientError) as error:
        raise Fault(
            f"{where}: {error}",
            "every call has to succeed; what was removed so far stays removed",
            "see that the credentials may describe and delete VPCs there, then run again",
            fault.UNREACHABLE,
        ) from error
    return lines


def _check_account(config: settings.Settings, session: Any, region: str) -> None:
    found = session.client("sts", region_name=region, config=_BOUNDS).get_caller_identity()["Account"]
    if found != config.account:
        raise Fault(
            f"the credentials are of account {found}",
            f"the stack's account is {config.account}",
            "use credentials of that account",
        )


def run(arguments: Sequence[str] | None = None) -> int:
    """The command; argparse exits with 2 on wrong use."""
    parser = argparse.ArgumentParser(
        prog="python -m network.default_vpc",
        description="Remove the default VPC of every allowed region of a stack, when nothing lives in it.",
    )
    parser.add_argument("--stack", required=True, help="the <stack> of Pulumi.<stack>.yaml")
    parser.add_argument("--apply", action="store_true", help="remove; otherwise only say what would go")
    given = parser.parse_args(arguments)
    for line in empty(settings.load(given.stack, Path.cwd()), apply=given.apply):
        print(line)
    if not given.apply:
        print("nothing was removed; --apply removes it")
    return fault.GOOD


if __name__ == "__main__":
    fault.main(run)
