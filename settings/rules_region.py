"""Rules across fields: residency, zones, ranges, roles, sites, services, retention. One function each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network

from settings import facts
from settings.draft import Draft
from settings.model import Site, SiteKind, Tier
from settings.problems import Problem

Rule = Callable[[Draft], Iterator[Problem]]
Network = IPv4Network | IPv6Network

# Names that mean something else in the firewall, in the inventory or in Ansible.
RESERVED_NAMES = frozenset(
    (
        *SiteKind,
        "internet",
        "bound_sources",
        "package_proxy",
        "time_servers",
        "log_collector",
        "aws_endpoints",
        "all",
        "nodes",
        "ungrouped",
    )
)
# Never a place: unspecified, loopback, link-local, multicast and beyond.
_NOWHERE = tuple(
    ip_network(n)
    for n in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "::/128",
        "::1/128",
        "fe80::/10",
        "ff00::/8",
    )
)


def jurisdiction_is_known(draft: Draft) -> Iterator[Problem]:
    """The jurisdiction is in the table of facts."""
    if draft.residency and draft.residency.jurisdiction not in facts.JURISDICTIONS:
        yield Problem(
            "residency.jurisdiction",
            draft.residency.jurisdiction,
            f"a jurisdiction is one of {', '.join(facts.JURISDICTIONS)}",
            "use one of these, or add it with its source to settings/facts.py",
        )


def allowed_regions_lie_in_the_jurisdiction(draft: Draft) -> Iterator[Problem]:
    """Every allowed region belongs to the jurisdiction."""
    place = facts.JURISDICTIONS.get(draft.residency.jurisdiction) if draft.residency else None
    if draft.residency is None or place is None:
        return
    for index, region in enumerate(draft.residency.allowed_regions):
        if region not in place.regions:
            yield Problem(
                f"residency.allowed_regions.{index}",
                region,
                f"allowed regions lie in {place.name}",
                f"choose from {', '.join(place.regions)}",
            )


def region_is_allowed(draft: Draft) -> Iterator[Problem]:
    """The region is one of the allowed ones."""
    if draft.region and draft.residency and draft.region not in draft.residency.allowed_regions:
        yield Problem(
            "region",
            draft.region,
            "the region is one of residency.allowed_regions",
            f"choose from {', '.join(draft.residency.allowed_regions)}",
        )


def zones_belong_to_the_region(draft: Draft) -> Iterator[Problem]:
    """A zone is the region's name and one letter."""
    if draft.region is None:
        return
    for index, zone in enumerate(draft.zones or ()):
        letter = zone.removeprefix(draft.region)
        if not zone.startswith(draft.region) or len(letter) != 1 or letter not in facts.ZONE_LETTERS:
            yield Problem(
                f"zones.{index}",
                zone,
                f"a zone belongs to the region {draft.region}",
                f"use {draft.region}a to {draft.region}{facts.ZONE_LETTERS[-1]}",
            )


def zones_are_enough_and_distinct(draft: Draft) -> Iterator[Problem]:
    """At least three zones, each named once."""
    if draft.zones is None:
        return
    if len(set(draft.zones)) < facts.LEAST_ZONES:
        yield Problem(
            "zones",
            ", ".join(draft.zones),
            f"at least {facts.LEAST_ZONES} different zones, so that a majority survives the loss of one",
            "name three zones of the region",
        )
    for zone in sorted({z for z in draft.zones if draft.zones.count(z) > 1}):
        yield Problem("zones", zone, "a zone is named once", "remove the repetition")


def vpc_blocks_are_private(draft: Draft) -> Iterator[Problem]:
    """RFC 1918 or RFC 6598."""
    for name, vpc in draft.vpcs.items():
        if not any(vpc.cidr.subnet_of(private) for private in facts.PRIVATE_V4):
            yield Problem(
                f"vpcs.{name}.cidr",
                str(vpc.cidr),
                "a VPC block is private (RFC 1918 or RFC 6598)",
                f"choose a block inside {', '.join(map(str, facts.PRIVATE_V4))}",
            )


def vpc_blocks_have_a_workable_size(draft: Draft) -> Iterator[Problem]:
    """AWS takes /16 at most; the planner needs /23 at least."""
    for name, vpc in draft.vpcs.items():
        key, value = f"vpcs.{name}.cidr", str(vpc.cidr)
        if vpc.cidr.prefixlen < facts.WIDEST_VPC:
            yield Problem(key, value, "AWS takes a VPC block of /16 at most", "choose a /16 or smaller")
        if vpc.cidr.prefixlen > facts.SMALLEST_VPC:
            yield Problem(
                key,
                value,
                f"too small: 4 tier slots of 8 zone blocks, each /28 or larger, need a /{facts.SMALLEST_VPC}",
                "choose a larger block; a /16 leaves room",
            )


def subnets_hold_their_nodes(draft: Draft) -> Iterator[Problem]:
    """All nodes of a tier, should they stand in one zone less than named, fit into its subnets."""
    zones = len(set(draft.zones or ()))
    if not zones:
        return
    for name, vpc in draft.vpcs.items():
        prefix = vpc.cidr.prefixlen + facts.TIER_BITS + facts.ZONE_BITS
        if prefix > facts.SMALLEST_SUBNET:
            continue
        balancers = sum(b.vpc == name for b in draft.load_balancers.values())
        for tier in vpc.tiers:
            kept = facts.KEPT_PER_SUBNET * max(1, balancers if tier == Tier.PUBLIC else 1)
            room = max(0, 2 ** (32 - prefix) - facts.RESERVED_PER_SUBNET - kept)
            roles = [r for r in draft.server_roles.values() if r.vpc == name and r.tier == tier]
            need = sum(-(-role.count // zones) for role in roles)
            if need > room:
                yield Problem(
                    f"vpcs.{name}.cidr",
                    str(vpc.cidr),
                    f"too small: a {tier} subnet (/{prefix}) has room for {room} nodes and gets up to {need}",
                    "choose a larger block or fewer nodes",
                )


def tiers_are_named_once(draft: Draft) -> Iterator[Problem]:
    """A VPC names each tier once."""
    for name, vpc in draft.vpcs.items():
        for tier in sorted({t for t in vpc.tiers if vpc.tiers.count(t) > 1}):
            yield Problem(f"vpcs.{name}.tiers", tier, "a tier is named once", "remove the repetition")


def ranges_do_not_overlap(draft: Draft) -> Iterator[Problem]:
    """No two of all VPC blocks and site ranges share an address."""
    blocks: list[tuple[str, Network]] = [(f"vpcs.{n}.cidr", v.cidr) for n, v in draft.vpcs.items()]
    for name, site in draft.sites.items():
        blocks += [(f"sites.{name}.ranges.{i}", r) for i, r in enumerate(site.ranges) if r.prefixlen > 0]
    for index, (key, block) in enumerate(blocks):
        for other, earlier in blocks[:index]:
            if block.version == earlier.version and block.overlaps(earlier):
                yield Problem(key, str(block), f"overlaps {earlier} of {other}", "choose a block of its own")


def site_ranges_are_narrow(draft: Draft) -> Iterator[Problem]:
    """No default route, no wide range, no address that is nowhere."""
    for name, site in draft.sites.items():
        for index, block in enumerate(site.ranges):
            widest = facts.WIDEST_RANGE[site.kind][0 if block.version == 4 else 1]
            key, value = f"sites.{name}.ranges.{index}", str(block)
            if block.prefixlen == 0:
                yield Problem(key, value, "a site is never everywhere", f"state the addresses of {name}")
            elif block.prefixlen < widest:
                yield Problem(
                    key,
                    value,
                    f"a {site.kind} range is /{widest} at the widest",
                    "state the addresses it has",
                )
            elif any(block.version == n.version and block.overlaps(n) for n in _NOWHERE):
                yield Problem(
                    key, value, "a range holds addresses of machines", "no loopback, link-local or multicast"
                )


def gateways_are_public_and_unique(draft: Draft) -> Iterator[Problem]:
    """A VPN gateway has an address on the internet, and each site its own."""
    seen: dict[object, str] = {}
    for name, site in draft.sites.items():
        key, value = f"sites.{name}.gateway", str(site.gateway)
        block = IPv4Network(site.gateway)
        if any(block.subnet_of(private) for private in (*facts.PRIVATE_V4, *_nowhere_v4())):
            yield Problem(
                key, value, "a VPN gateway has a public address", "give the address the internet sees"
            )
        if site.gateway in seen:
            yield Problem(key, value, f"{seen[site.gateway]} has the same gateway", "give each site its own")
        seen.setdefault(site.gateway, name)


def _nowhere_v4() -> list[IPv4Network]:
    return [n for n in _NOWHERE if isinstance(n, IPv4Network)]


def there_is_a_noc(draft: Draft) -> Iterator[Problem]:
    """Without a NOC nobody could administer the region."""
    if SiteKind.NOC not in draft.kinds:
        yield Problem(
            "sites",
            ", ".join(sorted(draft.names.get("sites", ()))) or "none",
            "at least one site of kind noc, with a range",
            "add the network operations centre that administers this region",
        )


def names_resolve(draft: Draft) -> Iterator[Problem]:
    """Roles and sites name VPCs that exist; a role's tier is one of its VPC."""
    known = draft.names.get("vpcs", frozenset())
    named = [(f"server_roles.{n}.vpc", r.vpc) for n, r in draft.server_roles.items()]
    named += [(f"sites.{n}.vpcs.{i}", v) for n, s in draft.sites.items() for i, v in enumerate(s.vpcs)]
    for key, vpc in named:
        if vpc not in known:
            yield Problem(key, vpc, "a VPC is named that exists", f"choose from {', '.join(sorted(known))}")
    for name, role in draft.server_roles.items():
        tiers = draft.vpcs[role.vpc].tiers if role.vpc in draft.vpcs else ()
        if tiers and role.tier not in tiers:
            yield Problem(
                f"server_roles.{name}.tier",
                role.tier,
                f"a role stands in a tier of its VPC {role.vpc}",
                f"choose from {', '.join(tiers)} or add the tier",
            )


def names_are_free(draft: Draft) -> Iterator[Problem]:
    """No role takes a word that means something else."""
    for name in sorted(draft.names.get("server_roles", frozenset()) & RESERVED_NAMES):
        yield Problem(
            f"server_roles.{name}", name, "this word has a meaning of its own", "choose another name"
        )


def services_stand_in_our_sites(draft: Draft) -> Iterator[Problem]:
    """Packages and time come from a NOC or service centre and logs go there, never elsewhere."""
    if draft.services is None or "sites" in draft.broken:
        return
    proxy = draft.services.package_proxy
    places = [("services.package_proxy.address", proxy.address)]
    places += [
        (f"services.time_servers.{i}.address", s.address) for i, s in enumerate(draft.services.time_servers)
    ]
    if collector := draft.services.log_collector:
        places.append(("services.log_collector.address", collector.address))
    ours: list[Site] = [s for s in draft.sites.values() if s.kind != SiteKind.CUSTOMER]
    for key, address in places:
        if not any(address in block for site in ours for block in site.ranges):
            yield Problem(
                key,
                str(address),
                "a shared service stands in the range of a NOC or service centre",
                "give its address there, or add the range to the site",
            )


def administrators_have_keys_of_their_own(draft: Draft) -> Iterator[Problem]:
    """A key under two names could be taken from one of them only in appearance."""
    owners: dict[str, str] = {}
    for name, administrator in draft.administrators.items():
        blob = administrator.key.split()[1]
        if blob in owners:
            yield Problem(
                f"administrators.{name}.key",
                f"the key of {owners[blob]}",
                "a key stands under one name",
                "make another key, or remove one of the two names",
            )
        owners.setdefault(blob, name)


def administrators_fit_into_first_boot(draft: Draft) -> Iterator[Problem]:
    """AWS refuses more user data in the middle of a run."""
    size = sum(len(administrator.key) + 16 for administrator in draft.administrators.values())
    most = facts.USER_DATA_BYTES - facts.KEPT_FOR_FIRST_BOOT
    if size > most:
        yield Problem(
            "administrators",
            f"{len(draft.administrators)} keys, {size} bytes",
            f"all keys together take {most} bytes at most, since EC2 takes 16 KB of user data",
            "use ssh-ed25519 keys, which are short, or name fewer",
        )


def logs_are_kept_long_enough(draft: Draft) -> Iterator[Problem]:
    """The jurisdiction's minimum for logs; noncurrent object versions are not logs."""
    place = facts.JURISDICTIONS.get(draft.residency.jurisdiction) if draft.residency else None
    if draft.retention is None or place is None:
        return
    for name in ("flow_logs_days", "access_logs_days", "node_logs_days"):
        days = getattr(draft.retention, name)
        if days < place.log_days:
            yield Problem(
                f"retention.{name}",
                str(days),
                f"logs are kept {place.log_days} days or longer ({place.log_source})",
                f"set {place.log_days} or more",
            )


def flow_log_days_exist(draft: Draft) -> Iterator[Problem]:
    """CloudWatch Logs knows certain periods only and refuses others in the middle of a run."""
    days = draft.retention.flow_logs_days if draft.retention else None
    if days is not None and days >= facts.LOG_GROUP_DAYS[0] and days not in facts.LOG_GROUP_DAYS:
        yield Problem(
            "retention.flow_logs_days",
            str(days),
            "CloudWatch Logs keeps logs for certain periods only",
            f"choose from {', '.join(map(str, facts.LOG_GROUP_DAYS))}",
        )


RULES: tuple[Rule, ...] = (
    jurisdiction_is_known,
    allowed_regions_lie_in_the_jurisdiction,
    region_is_allowed,
    zones_belong_to_the_region,
    zones_are_enough_and_distinct,
    vpc_blocks_are_private,
    vpc_blocks_have_a_workable_size,
    subnets_hold_their_nodes,
    tiers_are_named_once,
    ranges_do_not_overlap,
    site_ranges_are_narrow,
    gateways_are_public_and_unique,
    there_is_a_noc,
    names_resolve,
    names_are_free,
    services_stand_in_our_sites,
    administrators_have_keys_of_their_own,
    administrators_fit_into_first_boot,
    logs_are_kept_long_enough,
    flow_log_days_exist,
)
