"""Nothing is open to everybody that the firewall intent does not open, and nothing becomes public by
itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from guardrails.encryption import BUCKET, companion_of
from guardrails.model import UNKNOWN, Bounds, Finding, Guardrail, Planned, at, differing, listed, of_type

INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
LEGACY_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
ROUTE = "aws:ec2/route:Route"
PUBLIC_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
CLOSED = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)
Network = IPv4Network | IPv6Network
# A prefix so short that it means "anybody", whether or not it is written 0.0.0.0/0.
WIDE = {4: 7, 6: 15}


def everybody(cidr: object) -> bool:
    """Whether a range, if it is known, means anybody."""
    if cidr in UNKNOWN or not isinstance(cidr, str):
        return False
    network = ip_network(cidr, strict=False)
    return network.prefixlen <= WIDE[network.version]


def ingress_intended(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Only what the intent opens to the internet is open to it, port by port."""
    for rule in of_type(resources, INGRESS):
        inputs = rule["inputs"]
        if not (everybody(inputs.get("cidrIpv4")) or everybody(inputs.get("cidrIpv6"))):
            continue
        opened = (inputs.get("ipProtocol"), inputs.get("fromPort"))
        if inputs.get("fromPort") != inputs.get("toPort") or opened not in bounds.public:
            ports = f"{inputs.get('fromPort')}-{inputs.get('toPort')}"
            yield Finding(
                "ingress-intended",
                rule["urn"],
                f"open to everybody: {inputs.get('ipProtocol')} {ports}",
                "open only what the stack's firewall opens to the internet",
            )


def sources_are_bound(resources: Sequence[Planned], bounds: Bounds) -> Iterator[Finding]:
    """Who comes in by range comes from a site, or from a source that is bound to a customer today.

    Open to everybody is a load balancer, whose web firewall binds, or what an exception names that has not
    ended. Ports are `ingress_intended`'s.
    """
    names = {group["urn"]: at(group["inputs"], "tags.Name") for group in of_type(resources, GROUP)}
    known = [ip_network(cidr) for cidr in bounds.ranges]
    for rule in of_type(resources, INGRESS):
        inputs = rule["inputs"]
        port = (inputs.get("ipProtocol"), inputs.get("fromPort"))
        owners = {names.get(urn) for urn in rule.get("depends", {}).get("securityGroupId", [])}
        for cidr in (c for c in (inputs.get("cidrIpv4"), inputs.get("cidrIpv6")) if c not in UNKNOWN):
            if everybody(cidr):
                bound = port not in bounds.public or (
                    bool(owners) and all((owner, *port) in bounds.open_to_all for owner in owners)
                )
            else:
                bound = any(_within(ip_network(cidr, strict=False), other) for other in known)
            if not bound:
                yield Finding(
                    "sources-bound",
                    rule["urn"],
                    f"{cidr} reaches {' and '.join(sorted(map(str, owners))) or 'a group nobody planned'}",
                    "bind the range (customers.<name>.sources, sites.<name>.ranges), or state accepted",
                )


def _within(inner: Network, outer: Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def rules_apart(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Rules are resources of their own: inline rules and rule resources undo each other at every update."""
    for group in of_type(resources, GROUP):
        if listed(group["inputs"].get("ingress")) or listed(group["inputs"].get("egress")):
            yield Finding("rules-apart", group["urn"], "it has inline rules", "use rule resources")
    for rule in of_type(resources, LEGACY_RULE):
        yield Finding("rules-apart", rule["urn"], "it is a legacy rule", "use an ingress or egress rule")


def defaults_stripped(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Each VPC's default group, ACL and route table are adopted and empty."""
    empty = {
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": ("ingress", "egress"),
        "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": ("ingress", "egress"),
        "aws:ec2/defaultRouteTable:DefaultRouteTable": ("routes",),
    }
    vpcs = list(of_type(resources, "aws:ec2/vpc:Vpc"))
    for kind, rules in empty.items():
        adopted = list(of_type(resources, kind))
        for vpc in vpcs:
            if not any(found["parent"] == vpc["parent"] for found in adopted):
                yield Finding(
                    "default-stripped", vpc["urn"], f"no {kind.rpartition(':')[2]}", "adopt it without rules"
                )
        for found in adopted:
            for name in rules:
                if listed(found["inputs"].get(name)):
                    yield Finding("default-stripped", found["urn"], f"it has {name}", "leave it empty")


def no_public_addresses(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """No subnet and no instance takes a public address by itself."""
    for subnet in of_type(resources, "aws:ec2/subnet:Subnet"):
        if at(subnet["inputs"], "mapPublicIpOnLaunch"):
            yield Finding("address-stated", subnet["urn"], "it hands out public addresses", "switch it off")
    for instance in of_type(resources, "aws:ec2/instance:Instance"):
        if at(instance["inputs"], "associatePublicIpAddress"):
            yield Finding("address-stated", instance["urn"], "it asks for one", "use an Elastic IP")
    for template in of_type(resources, "aws:ec2/launchTemplate:LaunchTemplate"):
        for interface in listed(template["inputs"].get("networkInterfaces")):
            if str(interface.get("associatePublicIpAddress", False)).lower() == "true":
                yield Finding("address-stated", template["urn"], "it asks for one", "use an Elastic IP")


def isolated_has_no_way_out(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """The isolated tier has no route to everybody, and every such route names a table we know."""
    tiers = {
        table["urn"]: at(table["inputs"], "tags.stockade:tier")
        for table in of_type(resources, "aws:ec2/routeTable:RouteTable")
    }
    for route in of_type(resources, ROUTE):
        inputs = route["inputs"]
        if not (
            everybody(inputs.get("destinationCidrBlock")) or everybody(inputs.get("destinationIpv6CidrBlock"))
        ):
            continue
        found = [tiers.get(urn) for urn in route.get("depends", {}).get("routeTableId", [])]
        if not found or None in found:
            yield Finding("isolated-closed", route["urn"], "its table has no tier", "tag it stockade:tier")
        elif "isolated" in found:
            yield Finding("isolated-closed", route["urn"], "a default route", "isolated tiers have none")


def buckets_closed(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Each bucket, and the account as a whole, blocks public access in all four ways."""
    blocks = list(of_type(resources, PUBLIC_BLOCK))
    for bucket in of_type(resources, BUCKET):
        if not any(companion_of(bucket, block) for block in blocks):
            yield Finding("bucket-closed", bucket["urn"], "no public access block", "add one")
    account = list(of_type(resources, "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"))
    if not account:
        yield Finding("bucket-closed", "-", "the account does not block public access", "block it")
    for block in [*blocks, *account]:
        for problem in differing(block["inputs"], CLOSED):
            yield Finding("bucket-closed", block["urn"], problem, "block all four")


def metadata_by_token(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Instance metadata answers session tokens only, one hop away; in every template and by default."""
    wanted = {"httpTokens": "required", "httpPutResponseHopLimit": 1}
    for template in of_type(resources, "aws:ec2/launchTemplate:LaunchTemplate"):
        for problem in differing(at(template["inputs"], "metadataOptions") or {}, wanted):
            yield Finding("metadata-token", template["urn"], problem, "require IMDSv2")
    defaults = list(of_type(resources, "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults"))
    if not defaults:
        yield Finding("metadata-token", "-", "no metadata defaults for the region", "set them")
    for found in defaults:
        for problem in differing(found["inputs"], wanted):
            yield Finding("metadata-token", found["urn"], problem, "require IMDSv2")
    for instance in of_type(resources, "aws:ec2/instance:Instance"):
        if "launchTemplate" in instance["inputs"] and "metadataOptions" not in instance["inputs"]:
            continue
        for problem in differing(at(instance["inputs"], "metadataOptions") or {}, wanted):
            yield Finding("metadata-token", instance["urn"], problem, "require IMDSv2")


GUARDRAILS: tuple[Guardrail, ...] = (
    ingress_intended,
    sources_are_bound,
    rules_apart,
    defaults_stripped,
    no_public_addresses,
    isolated_has_no_way_out,
    buckets_closed,
    metadata_by_token,
)
