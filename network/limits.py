"""What AWS takes of rules: counted over the renderings before anything is made, with a way to split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import collapse_addresses

from network.intent import Endpoint, Intent, resolve
from network.network_acls import AclEntry, network_acls
from network.security_groups import (
    SgRule,
    endpoint_security_groups,
    load_balancer_security_groups,
    security_groups,
)
from settings import Settings
from settings.facts import MOST_ACL_RULES, MOST_GROUP_RULES
from settings.problems import Problem

_WORDS = {"ingress": "inbound", "egress": "outbound"}


def exceeded(settings: Settings) -> list[Problem]:
    """One problem for each group and network ACL that would have more rules than AWS takes."""
    intent = resolve(settings)
    return [*_groups(intent), *_acls(intent, settings)]


def _groups(intent: Intent) -> Iterator[Problem]:
    owners = {e.name: e for e in (*intent.roles(), *intent.load_balancers())}
    for name, rules in security_groups(intent).items():
        yield from _group(intent, f"role {name}", owners[name], rules)
    for name, rules in load_balancer_security_groups(intent).items():
        yield from _group(intent, f"load balancer {name}", owners[name], rules)
    for vpc, rules in endpoint_security_groups(intent).items():
        for direction, version, count in _over(rules):
            yield Problem(
                "firewall",
                f"endpoints of {vpc}: {count} {_WORDS[direction]} rules for IPv{version}",
                f"AWS takes {MOST_GROUP_RULES} rules per security group, direction and family",
                f"let fewer of the roles in {vpc} use aws_endpoints, or put some into another VPC",
            )


def _group(intent: Intent, what: str, owner: Endpoint, rules: list[SgRule]) -> Iterator[Problem]:
    for direction, version, count in _over(rules):
        yield Problem(
            "firewall",
            f"security group of {what}: {count} {_WORDS[direction]} rules for IPv{version}",
            f"AWS takes {MOST_GROUP_RULES} rules per security group, direction and family",
            f"{_largest(intent, [owner], version)}, or split {owner.name} in two with fewer flows each",
        )


def _over(rules: list[SgRule]) -> list[tuple[str, int, int]]:
    """(direction, family, count) where there are too many; a rule that names a group counts in both."""
    counts: Counter[tuple[str, int]] = Counter()
    for rule in rules:
        counts.update(
            (rule.direction, v) for v in (4, 6) if rule.peer_kind != ("cidr6" if v == 4 else "cidr4")
        )
    return [(*which, count) for which, count in sorted(counts.items()) if count > MOST_GROUP_RULES]


def _acls(intent: Intent, settings: Settings) -> Iterator[Problem]:
    for (vpc, tier), entries in network_acls(intent, settings).items():
        standing = [e for e in (*intent.roles(), *intent.load_balancers()) if (e.vpc, e.tier) == (vpc, tier)]
        for direction, version, count in _over_acl(entries):
            fix = f"move a role of {', '.join(e.name for e in standing) or tier} to another tier or VPC"
            if standing:
                fix = f"{_largest(intent, standing, version)}, or {fix}"
            yield Problem(
                "firewall",
                f"network ACL of {tier} in {vpc}: {count} {_WORDS[direction]} entries for IPv{version}",
                f"AWS takes {MOST_ACL_RULES} per direction and family, its own deny included",
                fix,
            )


def _over_acl(entries: list[AclEntry]) -> list[tuple[str, int, int]]:
    counts = Counter((e.direction, e.cidr.version) for e in entries)
    return [(*which, count) for which, count in sorted(counts.items()) if count >= MOST_ACL_RULES]


def _largest(intent: Intent, owners: list[Endpoint], version: int) -> str:
    """Who brings the most rules, and what its ranges could be merged to."""
    brought: Counter[Endpoint] = Counter()
    for flow in intent.flows:
        # An ACL needs the answer's entry as well, so there both sides of a flow count.
        for end, other in ((flow.target, flow.source), (flow.source, flow.target)):
            if end in owners and other.kind in ("site", "service"):
                brought[other] += sum(network.version == version for network in other.networks)
    if not brought:
        return f"give {', '.join(e.name for e in owners)} fewer ports"
    other, _ = brought.most_common(1)[0]
    blocks = [network for network in other.networks if network.version == version]
    merged = list(collapse_addresses(blocks))  # type: ignore[type-var]  # one family
    if len(merged) < len(blocks):
        shown = ", ".join(map(str, merged[:3])) + (", …" if len(merged) > 3 else "")
        return f"merge the {len(blocks)} ranges of {other.name} into {len(merged)} ({shown})"
    return f"state fewer, wider ranges for {other.name} ({len(blocks)} now)"
