"""Every VPC's names are filtered, closed by default, and logged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.model import Bounds, Finding, Guardrail, Planned, differing, listed, of_type

VPC = "aws:ec2/vpc:Vpc"
ASSOCIATION = "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation"
FAILURE_MODE = "aws:route53/resolverFirewallConfig:ResolverFirewallConfig"
LOGGED = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
GROUP = "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup"
RULE = "aws:route53/resolverFirewallRule:ResolverFirewallRule"
DOMAINS = "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList"


def _of(resources: Sequence[Planned], kind: str, name: str, target: Planned) -> list[Planned]:
    """The resources of a kind whose input `name` was computed from `target`."""
    return [r for r in of_type(resources, kind) if target["urn"] in r.get("depends", {}).get(name, [])]


def names_filtered(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Every VPC has a DNS firewall that nobody removes by accident, and that fails closed."""
    for vpc in of_type(resources, VPC):
        found = _of(resources, ASSOCIATION, "vpcId", vpc)
        if not found:
            yield Finding("names-filtered", vpc["urn"], "it has no DNS firewall", "associate the rule group")
        modes = _of(resources, FAILURE_MODE, "resourceId", vpc)
        if not any(mode["inputs"].get("firewallFailOpen") == "DISABLED" for mode in modes):
            problem = "its DNS firewall may fail open"
            yield Finding("names-filtered", vpc["urn"], problem, "set firewallFailOpen to DISABLED")
        for association in found:
            for problem in differing(association["inputs"], {"mutationProtection": "ENABLED"}):
                yield Finding("names-filtered", association["urn"], problem, "protect it from changes")


def names_closed(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """A rule group allows named domains and ends with a refusal of everything else."""
    for group in of_type(resources, GROUP):
        rules = _of(resources, RULE, "firewallRuleGroupId", group)
        rules.sort(key=lambda rule: float(rule["inputs"].get("priority", 0)))
        last = rules[-1] if rules else None
        if last is None or last["inputs"].get("action") != "BLOCK" or not _everything(resources, last):
            problem = "its last rule does not refuse every name"
            yield Finding("names-closed", group["urn"], problem, "end it with a BLOCK of the domain *.")
        for rule in rules[:-1]:
            if rule["inputs"].get("action") == "ALLOW":
                for domain in _wide(resources, rule):
                    problem = f"it allows {domain}"
                    yield Finding("names-closed", rule["urn"], problem, "allow the names that are needed")


def _domains(resources: Sequence[Planned], rule: Planned) -> list[str]:
    urns = rule.get("depends", {}).get("firewallDomainListId", [])
    lists = [found for found in of_type(resources, DOMAINS) if found["urn"] in urns]
    return [str(domain) for found in lists for domain in listed(found["inputs"].get("domains"))]


def _everything(resources: Sequence[Planned], rule: Planned) -> bool:
    return any(domain in ("*", "*.") for domain in _domains(resources, rule))


def _wide(resources: Sequence[Planned], rule: Planned) -> Iterator[str]:
    """Domains of which anybody can have a part: everything, a top level, every AWS name."""
    for domain in _domains(resources, rule):
        bare = domain.rstrip(".").lstrip("*").lstrip(".")
        if domain.startswith("*") and (bare.count(".") < 1 or bare == "amazonaws.com"):
            yield domain


def queries_logged(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """The DNS queries of every VPC are logged."""
    for vpc in of_type(resources, VPC):
        if not _of(resources, LOGGED, "resourceId", vpc):
            yield Finding("names-logged", vpc["urn"], "its DNS queries are not logged", "associate the log")


GUARDRAILS: tuple[Guardrail, ...] = (names_filtered, names_closed, queries_logged)
