"""One VPC: subnets from the plan, gateways, a route table per purpose, and every default thing stripped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

import pulumi
from pulumi_aws import ec2

from network.plan import SubnetPlan, plan_vpc, subnet_block6, tier_block6, zone_letter
from settings.model import Tier
from tagging import tags

ANYWHERE, ANYWHERE6 = "0.0.0.0/0", "::/0"


@dataclass(frozen=True)
class VpcArgs:
    """Block, zones and tiers of a VPC; all from the stack file.

    `egress`: the firewall intent lets a role of the private tier call the internet. `ipv6`: dual stack.
    `inspected`: a network firewall stands before the internet gateway (network/inspection.py).
    """

    cidr: IPv4Network
    zones: Sequence[str]
    tiers: Sequence[Tier]
    egress: bool = False
    ipv6: bool = False
    inspected: bool = False


class Vpc(pulumi.ComponentResource):
    """A VPC over all zones with its tiers.

    Route tables: one for the public tier, one for each zone of the private tier, one for the isolated tier,
    which never has a default route. Egress is denied by default: NAT gateways (one per zone, so that a zone's
    failure stays in the zone) and the private tier's default routes exist only where the intent declares
    egress. `nat_gateways` by zone letter; `cidr6` the IPv6 block that Amazon provides.
    """

    id: pulumi.Output[str]
    cidr: IPv4Network
    cidr6: pulumi.Output[str] | None
    plan: dict[str, SubnetPlan]
    nat_gateways: dict[str, ec2.NatGateway]
    internet_gateway: ec2.InternetGateway
    subnets: dict[str, ec2.Subnet]
    route_tables: dict[str, ec2.RouteTable]
    default_security_group: ec2.DefaultSecurityGroup

    def __init__(self, name: str, args: VpcArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:network:Vpc", name, {}, opts)
        self._name, self._child = name, pulumi.ResourceOptions(parent=self)
        self.cidr, self.nat_gateways = args.cidr, {}
        self._inspected = args.inspected
        tiers = [*args.tiers, *(["firewall"] if args.inspected else [])]
        self.plan = plan_vpc(args.cidr, args.zones, tiers)
        vpc = ec2.Vpc(
            name,
            cidr_block=str(args.cidr),
            enable_dns_hostnames=True,  # private DNS of interface endpoints needs both
            enable_dns_support=True,
            assign_generated_ipv6_cidr_block=True if args.ipv6 else None,
            tags=tags(name),
            opts=self._child,
        )
        self.id = vpc.id
        self.cidr6 = vpc.ipv6_cidr_block if args.ipv6 else None
        self._strip_defaults(vpc)
        self.subnets = {key: self._subnet(plan) for key, plan in self.plan.items()}
        self.route_tables = {}
        if Tier.PUBLIC in args.tiers:
            self._route_public()
        if Tier.PRIVATE in args.tiers:
            for letter in map(zone_letter, args.zones):
                self._table(f"private-{letter}", [f"private-{letter}"])
            if args.egress:
                self._let_private_out([zone_letter(zone) for zone in args.zones])
        if Tier.ISOLATED in args.tiers:
            self._table("isolated", self._of_tier("isolated"))
        self.register_outputs({"id": self.id, "subnets": {k: s.id for k, s in self.subnets.items()}})

    def tables_of_tier(self, tier: str) -> dict[str, ec2.RouteTable]:
        """The route tables of one tier, by their name within this VPC."""
        return {
            key: table
            for key, table in self.route_tables.items()
            if key == tier or key.startswith(f"{tier}-")
        }

    def subnets_of_tier(self, tier: str) -> dict[str, ec2.Subnet]:
        """The subnets of one tier, by `<tier>-<zone letter>`."""
        return {key: self.subnets[key] for key in self._of_tier(tier)}

    def tier_cidr6(self, tier: str) -> pulumi.Output[str]:
        """The part of the IPv6 block that all subnets of a tier stand in; for a dual-stack VPC only."""
        if self.cidr6 is None:
            raise ValueError(f"VPC {self._name} has no IPv6 block")
        return self.cidr6.apply(lambda block: str(tier_block6(IPv6Network(block), tier)))

    def _of_tier(self, tier: str) -> list[str]:
        return [key for key, plan in self.plan.items() if plan.tier == tier]

    def _strip_defaults(self, vpc: ec2.Vpc) -> None:
        # Adopting a default resource without rules makes the provider delete the rules AWS put there.
        # Whatever is later created without naming a group, an ACL or a route table can then reach nothing.
        name = f"{self._name}-default"
        self.default_security_group = ec2.DefaultSecurityGroup(
            name, vpc_id=vpc.id, ingress=[], egress=[], tags=tags(f"{name}-unused"), opts=self._child
        )
        ec2.DefaultNetworkAcl(
            name,
            default_network_acl_id=vpc.default_network_acl_id,
            ingress=[],
            egress=[],
            tags=tags(f"{name}-unused"),
            # Subnets move to the ACL of their tier; until then AWS reports them here.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["subnetIds"]),
        )
        ec2.DefaultRouteTable(
            name,
            default_route_table_id=vpc.default_route_table_id,
            routes=[],
            tags=tags(f"{name}-unused"),
            opts=self._child,
        )

    def _subnet(self, plan: SubnetPlan) -> ec2.Subnet:
        name = f"{self._name}-{plan.name}"
        return ec2.Subnet(
            name,
            vpc_id=self.id,
            cidr_block=str(plan.cidr),
            ipv6_cidr_block=self._cidr6(plan),
            # An IPv6 address is always a stated one, too.
            assign_ipv6_address_on_creation=False if self.cidr6 is not None else None,
            availability_zone=plan.zone,
            map_public_ip_on_launch=False,  # a public address is always a stated Elastic IP
            tags=tags(name, tier=plan.tier),
            opts=self._child,
        )

    def _cidr6(self, plan: SubnetPlan) -> pulumi.Output[str] | None:
        if self.cidr6 is None:
            return None
        return self.cidr6.apply(lambda block: str(subnet_block6(IPv6Network(block), plan.tier, plan.zone)))

    def _table(self, key: str, subnet_keys: Sequence[str]) -> ec2.RouteTable:
        name = f"{self._name}-{key}"
        table = ec2.RouteTable(
            name, vpc_id=self.id, tags=tags(name, tier=key.partition("-")[0]), opts=self._child
        )
        for subnet_key in subnet_keys:
            ec2.RouteTableAssociation(
                f"{self._name}-{subnet_key}",
                route_table_id=table.id,
                subnet_id=self.subnets[subnet_key].id,
                opts=self._child,
            )
        self.route_tables[key] = table
        return table

    def _route_public(self) -> None:
        gateway = ec2.InternetGateway(self._name, vpc_id=self.id, tags=tags(self._name), opts=self._child)
        self.internet_gateway = gateway
        if self._inspected:
            self._route_past_firewall(gateway)
            return
        self._table("public", self._of_tier("public"))
        self._route("public", "internet", destination_cidr_block=ANYWHERE, gateway_id=gateway.id)
        if self.cidr6 is not None:
            self._route("public", "internet6", destination_ipv6_cidr_block=ANYWHERE6, gateway_id=gateway.id)

    def _route_past_firewall(self, gateway: ec2.InternetGateway) -> None:
        """Each public subnet has a table of its own; its way out is the endpoint in its zone."""
        for key in self._of_tier("public"):
            self._table(key, [key])
        self._table("firewall", self._of_tier("firewall"))
        self._route("firewall", "internet", destination_cidr_block=ANYWHERE, gateway_id=gateway.id)

    def _route(self, table: str, purpose: str, **way: pulumi.Input[str]) -> None:
        ec2.Route(
            f"{self._name}-{table}-{purpose}",
            route_table_id=self.route_tables[table].id,
            opts=self._child,
            **way,
        )

    def _let_private_out(self, letters: Sequence[str]) -> None:
        for letter in letters:
            self.nat_gateways[letter] = nat = self._nat(letter)
            self._route(
                f"private-{letter}", "internet", destination_cidr_block=ANYWHERE, nat_gateway_id=nat.id
            )
        if self.cidr6 is None:
            return
        # IPv6 knows no NAT; this gateway lets answers in and nothing else.
        gateway = ec2.EgressOnlyInternetGateway(
            self._name, vpc_id=self.id, tags=tags(self._name), opts=self._child
        )
        for letter in letters:
            self._route(
                f"private-{letter}",
                "internet6",
                destination_ipv6_cidr_block=ANYWHERE6,
                egress_only_gateway_id=gateway.id,
            )

    def _nat(self, letter: str) -> ec2.NatGateway:
        name = f"{self._name}-nat-{letter}"
        # A NAT gateway's address works only once the internet gateway is attached.
        after_gateway = pulumi.ResourceOptions(parent=self, depends_on=[self.internet_gateway])
        address = ec2.Eip(name, domain="vpc", tags=tags(name), opts=after_gateway)
        return ec2.NatGateway(
            name,
            allocation_id=address.id,
            subnet_id=self.subnets[f"public-{letter}"].id,
            connectivity_type="public",
            tags=tags(name),
            opts=after_gateway,
        )


def tables_of_tiers(vpc: Vpc, tiers: Sequence[str]) -> Mapping[str, ec2.RouteTable]:
    """The route tables of several tiers, in the order of the tiers."""
    return {key: table for tier in tiers for key, table in vpc.tables_of_tier(tier).items()}
