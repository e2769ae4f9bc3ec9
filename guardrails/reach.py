"""How far the network reaches: internet gateways closed but for named subnets, endpoints bound to our own
account, VPCs joined only where the intent joins them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.egress import OUTER
from guardrails.model import (
    UNKNOWN,
    Bounds,
    Finding,
    Guardrail,
    Place,
    Planned,
    at,
    differing,
    listed,
    of_type,
    statements,
)

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
OPTIONS = "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions"
EXCLUSION = "aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion"
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
PEERING = "aws:ec2/vpcPeeringConnection:VpcPeeringConnection"
ROUTE = "aws:ec2/route:Route"
TABLE = "aws:ec2/routeTable:RouteTable"
# Services whose agents also use what AWS itself owns, or nothing that has an owner.
AWS_OWNS_PART = ("ec2messages", "ssm", "ssmmessages")


def gateways_closed(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Internet gateways carry nothing, in the whole region, but for single subnets of the right tier."""
    options = list(of_type(resources, OPTIONS))
    if not options:
        yield Finding("gateways-closed", "-", "internet gateways are not blocked", "set the block mode")
    for found in options:
        for problem in differing(found["inputs"], {"internetGatewayBlockMode": "block-bidirectional"}):
            yield Finding("gateways-closed", found["urn"], problem, "block both directions")
    subnets = {subnet["urn"]: subnet for subnet in of_type(resources, SUBNET)}
    for spared in of_type(resources, EXCLUSION):
        urns = spared.get("depends", {}).get("subnetId", [])
        tiers = {at(subnets[urn]["inputs"], "tags.stockade:tier") for urn in urns if urn in subnets}
        both_ways = spared["inputs"].get("internetGatewayExclusionMode") != "allow-egress"
        if not tiers:
            yield Finding("gateways-closed", spared["urn"], "it spares no known subnet", "name one subnet")
        elif tiers - ({*OUTER} if both_ways else {*OUTER, "private"}):
            problem = f"it spares a subnet of tier {', '.join(map(str, sorted(tiers)))}"
            yield Finding("gateways-closed", spared["urn"], problem, "spare public subnets only")


def endpoints_bounded(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Every endpoint has a policy that admits our identities only, and our account's resources only."""
    for endpoint in of_type(resources, ENDPOINT):
        policy = endpoint["inputs"].get("policy")
        if policy in UNKNOWN:
            if "policy" not in endpoint["inputs"]:
                yield Finding("endpoint-bounded", endpoint["urn"], "it has no policy", "state one")
            continue
        service = str(endpoint["inputs"].get("serviceName")).rpartition(".")[2]
        for statement in statements(policy):
            for problem in _unbounded(statement, service, bounds):
                fix = "bind it to aws:PrincipalAccount and aws:ResourceAccount"
                yield Finding("endpoint-bounded", endpoint["urn"], problem, fix)


def _unbounded(statement: dict[str, Any], service: str, bounds: Bounds) -> Iterator[str]:
    if statement.get("Effect") != "Allow":
        return
    said = statement.get("Condition", {}).get("StringEquals", {})
    if listed(said.get("aws:PrincipalAccount")) != [bounds.account]:
        yield f"{statement.get('Sid')} admits identities of any account"
    if listed(said.get("aws:ResourceAccount")) == [bounds.account] or service in AWS_OWNS_PART:
        return
    reads = listed(statement.get("Action")) == ["s3:GetObject"]
    named = all(bounds.region in str(r) and "*" not in str(r).split("/")[0] for r in _resources(statement))
    if not (reads and named):
        yield f"{statement.get('Sid')} reaches resources of any account"


def _resources(statement: dict[str, Any]) -> list[Any]:
    return listed(statement.get("Resource")) or ["*"]


def crossings_narrow(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """VPCs are joined where the intent joins them, and a route between two leads to one subnet of a tier."""
    joined = bounds.crossings
    pairs = {(a[0], b[0]) for a, b in joined or ()}
    for peering in of_type(resources, PEERING):
        ends = [_vpcs(peering, name) for name in ("vpcId", "peerVpcId")]
        if not all(ends) or (joined is not None and (ends[0][0], ends[1][0]) not in pairs):
            problem = f"it joins {' and '.join(end[0] if end else 'an unknown VPC' for end in ends)}"
            yield Finding("crossing-intended", peering["urn"], problem, "join VPCs that the intent joins")
    places = {
        subnet["inputs"]["cidrBlock"]: (_component(subnet), at(subnet["inputs"], "tags.stockade:tier"))
        for subnet in of_type(resources, SUBNET)
    }
    tables = {table["urn"]: table for table in of_type(resources, TABLE)}
    for route in of_type(resources, ROUTE):
        if not {"vpcPeeringConnectionId", "transitGatewayId"} & (
            set(route["inputs"]) | set(route.get("depends", {}))
        ):
            continue
        target = places.get(route["inputs"].get("destinationCidrBlock", ""))
        sources = [tables[u] for u in route.get("depends", {}).get("routeTableId", []) if u in tables]
        if not target or not sources or (joined is not None and not _intended(sources[0], target, joined)):
            problem = f"it routes {route['inputs'].get('destinationCidrBlock')} to another VPC"
            yield Finding("crossing-narrow", route["urn"], problem, "route to subnets that a flow joins")


def _intended(table: Planned, target: Place, joined: frozenset[tuple[Place, Place]]) -> bool:
    here = (_component(table), at(table["inputs"], "tags.stockade:tier"))
    return (here, target) in joined


def _component(resource: Planned) -> str:
    """The name of the VPC component that a subnet or table is part of."""
    return resource["parent"].rpartition("::")[2]


def _vpcs(resource: Planned, name: str) -> list[str]:
    """Names of the VPCs that an input was computed from."""
    return [
        urn.rpartition("::")[2]
        for urn in resource.get("depends", {}).get(name, [])
        if VPC in urn.split("::")[2].split("$")
    ]


GUARDRAILS: tuple[Guardrail, ...] = (gateways_closed, endpoints_bounded, crossings_narrow)
