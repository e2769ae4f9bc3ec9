"""The settings of one region: frozen, typed, unknown keys refused. Rules across fields: `rules_*.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from settings.access import Access
from settings.data import Backup, Customer, DataClass
from settings.edge import LoadBalancer
from settings.logs import LogCollector
from settings.problems import Broken
from settings.types import (
    Account,
    Day,
    Days,
    Model,
    Name,
    Network,
    Network4,
    Port,
    PublicKey,
    Reason,
    Region,
    RoleName,
    Ticket,
    Window,
    Words,
    ZoneName,
)
from settings.watch import Detection, Dns


class Kind(StrEnum):
    """What a server does; variables of roles that follow from it: `controls/profiles/kinds/`."""

    EDGE = "edge"
    APP = "app"
    ARCHIVE = "archive"
    BASTION = "bastion"
    CONTAINER_HOST = "container_host"


class Profile(StrEnum):
    """How far a node is hardened; each level holds the ones before it: `controls/profiles/`."""

    CIS_L1 = "cis-l1"
    CIS_L2 = "cis-l2"
    STRICT = "strict"


class Tier(StrEnum):
    """How far a subnet may talk: public (internet gateway), private (NAT), isolated (no default route)."""

    PUBLIC = "public"
    PRIVATE = "private"
    ISOLATED = "isolated"


def innermost(tiers: Iterable[str]) -> Tier:
    """The tier furthest from the internet among those of a VPC; its subnets hold the interface endpoints."""
    return max((Tier(tier) for tier in tiers), key=list(Tier).index)


class SiteKind(StrEnum):
    """What a site is for: operating the region, servicing it, or using it."""

    NOC = "noc"
    SERVICE_CENTRE = "service_centre"
    CUSTOMER = "customer"


class Protocol(StrEnum):
    """Transport of a firewall rule."""

    TCP = "tcp"
    UDP = "udp"


def _image(value: str) -> str:
    if not re.fullmatch(r"ami-[0-9a-f]{17}", value):
        raise Broken(
            "an image is pinned by its id: ami- and 17 hexadecimal digits", "look it up for this region"
        )
    return value


class Residency(Model):
    """Where data may lie."""

    jurisdiction: str = Field(description="territory whose law binds the data, e.g. IN, EU, DE")
    allowed_regions: tuple[Region, ...] = Field(
        min_length=1, description="AWS regions anything may ever be created in; all inside the jurisdiction"
    )


class Vpc(Model):
    """One virtual private cloud."""

    cidr: Network4 = Field(description="IPv4 block, RFC 1918 or RFC 6598, /16 to /23")
    tiers: tuple[Tier, ...] = Field(min_length=1, description="tiers of subnets it has, over all zones")
    ipv6: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="dual stack: an IPv6 block of Amazon's beside the IPv4 block"
    )
    inspection: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="AWS Network Firewall on its way to the internet (priced by the hour and zone)",
    )


class ServerRole(Model):
    """A kind of server and where its nodes stand."""

    vpc: str = Field(description="name of its VPC")
    tier: Tier = Field(description="tier of its subnets")
    count: int = Field(ge=1, le=300, strict=True, description="number of nodes, spread over the zones")
    instance_type: str = Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$", description="EC2 instance type")
    kind: Kind | None = Field(
        default=None,
        description="what its servers do; without it the role's own name when that is a kind, else app",
    )
    profile: Profile = Field(default=Profile.CIS_L2, description="how far its nodes are hardened")


class Image(Model):
    """The machine image of every node."""

    id: Annotated[str, AfterValidator(_image)] = Field(description="pinned AMI id of this region")
    owner: Account = Field(description="account that publishes it; compared at preview")
    release: Literal["bookworm", "trixie"] = Field(
        default="bookworm", description="Debian release of the image: 12 (bookworm) or 13 (trixie)"
    )


class Administrator(Model):
    """A role or machine that administers the nodes; people act through one, under its own audit."""

    key: PublicKey = Field(description="its OpenSSH public key: type, base64, one word of comment")


class Automation(Model):
    """A machine account that becomes root on the nodes without a password: an exception with an end."""

    owner: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$", description="team that answers for it")
    why: Reason = Field(description="the reason, in words")
    until: Day = Field(description="last day; a year from now at most, then somebody renews it")


class Site(Model):
    """A place outside the region, connected by VPN."""

    kind: SiteKind = Field(description="noc, service_centre or customer")
    gateway: IPv4Address = Field(description="public address of its VPN gateway")
    ranges: tuple[Network, ...] = Field(min_length=1, description="address ranges behind the gateway")
    vpcs: tuple[str, ...] = Field(min_length=1, description="VPCs its tunnels lead to")
    asn: int = Field(
        ge=1, le=4294967294, strict=True, description="BGP autonomous system number of its gateway"
    )
    routing: Literal["bgp", "static"] = Field(
        default="bgp", description="how its ranges become known: announced by BGP, or static routes"
    )


class PackageProxy(Model):
    """Caching proxy through which nodes get signed packages."""

    address: IPv4Address = Field(description="its address, inside the range of a NOC or service centre")
    port: Port = Field(description="its TCP port")


class TimeServer(Model):
    """One source of time."""

    address: IPv4Address = Field(description="its address, inside the range of a NOC or service centre")
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*[a-z0-9]$", max_length=253, description="its host name")
    source: str = Field(min_length=3, description="what its time is traceable to, for the auditor")
    nts: bool = Field(strict=True, description="whether it speaks Network Time Security (RFC 8915)")


class Services(Model):
    """Shared services the nodes use."""

    package_proxy: PackageProxy = Field(description="where packages come from")
    time_servers: tuple[TimeServer, ...] = Field(min_length=1, description="where time comes from")
    log_collector: LogCollector | None = Field(
        default=None, description="where the nodes' journals go; without it they stay on the nodes alone"
    )


class Limit(Model):
    """Throttle per source address."""

    connections: int = Field(ge=1, le=65535, strict=True, description="concurrent connections per source")
    rate: int = Field(ge=1, le=65535, strict=True, description="new connections per second per source")


class Acceptance(Model):
    """Why something is open to everybody all the same: an exception with an owner and an end."""

    owner: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$", description="team that answers for it")
    why: Reason = Field(description="the reason, in words")
    change: Ticket = Field(description="the change that accepted it")
    until: Day = Field(description="last day; a year from now at most, then somebody renews it")


class FirewallRule(Model):
    """Who may reach whom, and why. Everything else is refused."""

    from_: Words = Field(
        alias="from",
        description="server roles, load balancers, kinds of site, bound_sources (on the internet, what "
        "customers.<name>.sources bind), or internet (to a load balancer; to a role only with `accepted`)",
    )
    to: Words = Field(
        description="server roles, load balancers, kinds of site, package_proxy, time_servers, "
        "log_collector, aws_endpoints, or internet (from a private role, tcp 443: only then does its VPC "
        "have NAT gateways)"
    )
    protocol: Protocol = Field(description="tcp or udp")
    port: Port = Field(description="destination port")
    why: Reason = Field(description="the reason, in words; it becomes the rule's description everywhere")
    limit: Limit | None = Field(
        default=None, description="throttle per source; mandatory from internet and bound_sources"
    )
    accepted: Acceptance | None = Field(
        default=None, description="why internet is let in without a bound source, dated; mandatory then"
    )


class Retention(Model):
    """How long things are kept, in days."""

    flow_logs_days: Days = Field(description="VPC flow logs")
    access_logs_days: Days = Field(description="access logs of buckets")
    noncurrent_days: Days = Field(description="replaced versions of objects")
    node_logs_days: Days = Field(description="audit records and logs on the nodes")
    archive_days: Days = Field(description="audit trail, logs and evidence in the locked archive")


class Patching(Model):
    """When updates are installed."""

    window: Window = Field(description='day and times, "Sun 01:00-04:00"')
    timezone: ZoneName = Field(description="IANA time zone of the window")
    reboot: Literal["when_required", "never"] = Field(description="whether a recorded reason reboots a node")


class Settings(Model):
    """Everything one region is made from. Build it with `settings.load` or `settings.parse`."""

    region: Region = Field(description="AWS region of the stack")
    account: Account = Field(description="AWS account of the stack; any other is refused by the provider")
    owner: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.:/=+@-]{1,63}$", description="team, as a tag on everything"
    )
    residency: Residency = Field(description="where data may lie")
    zones: tuple[str, ...] = Field(min_length=1, description="availability zones, three or more")
    vpcs: dict[Name, Vpc] = Field(min_length=1, description="VPCs by name")
    server_roles: dict[RoleName, ServerRole] = Field(min_length=1, description="server roles by name")
    image: Image = Field(description="machine image of the nodes")
    administrators: dict[Name, Administrator] = Field(
        min_length=1,
        description="public keys that may log in as `admin`, by the name of a role or machine",
    )
    automation: dict[Name, Automation] = Field(
        default_factory=dict,
        description="accounts of the image that become root without a password, by name",
    )
    sites: dict[Name, Site] = Field(description="places that are connected by VPN, by name; at least one NOC")
    services: Services = Field(description="shared services the nodes use")
    firewall: tuple[FirewallRule, ...] = Field(min_length=1, description="the firewall intent, written once")
    retention: Retention = Field(description="how long things are kept")
    patching: Patching = Field(description="when updates are installed")
    access: Access = Field(description="who may act in the account, from where and when")
    data_classes: dict[Name, DataClass] = Field(min_length=1, description="classes of data, by name")
    customers: dict[Name, Customer] = Field(
        default_factory=dict, description="customers and their partitions"
    )
    backup: Backup = Field(description="when volumes are backed up and for how long")
    load_balancers: dict[Name, LoadBalancer] = Field(
        default_factory=dict, description="load balancers in front of server roles, by name"
    )
    detection: Detection = Field(default=Detection(), description="facts for the detection services")
    dns: Dns = Field(default=Dns(), description="names that nodes may resolve")
    transit: Literal["peering", "transit_gateway"] = Field(
        default="peering", description="how the VPCs are connected; a transit gateway is priced by the hour"
    )
    procedures: str = Field(
        default="",
        pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9_-]*([./][A-Za-z0-9_-]+)*/?$",
        description="folder, inside the repository, of the records of what people do; a real account has one",
    )

    def kind_of(self, role: str) -> Kind:
        """What the servers of a role do: as stated, else the role's own name when it is a kind, else app."""
        named = Kind(role) if role in set(Kind) else Kind.APP
        return self.server_roles[role].kind or named
