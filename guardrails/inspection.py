"""A network firewall drops what nothing passes, is protected, and logs both ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.model import Bounds, Finding, Guardrail, Planned, at, differing, listed, of_type

FIREWALL = "aws:networkfirewall/firewall:Firewall"
POLICY = "aws:networkfirewall/firewallPolicy:FirewallPolicy"
LOGGING = "aws:networkfirewall/loggingConfiguration:LoggingConfiguration"
PROTECTED = dict.fromkeys(
    ("deleteProtection", "subnetChangeProtection", "firewallPolicyChangeProtection"), True
)
STRICT = {"firewallPolicy.statefulEngineOptions.ruleOrder": "STRICT_ORDER"}


def firewalls_closed(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Network firewalls look at whole connections and drop what no rule passes."""
    for policy in of_type(resources, POLICY):
        inputs = policy["inputs"]
        for problem in differing(inputs, STRICT):
            yield Finding("firewall-closed", policy["urn"], problem, "judge rules in strict order")
        if not {"aws:drop_established", "aws:drop_strict"} & {
            *listed(at(inputs, "firewallPolicy.statefulDefaultActions"))
        }:
            problem = "what no rule passes is let through"
            yield Finding("firewall-closed", policy["urn"], problem, "drop it: aws:drop_established")
        for name in ("statelessDefaultActions", "statelessFragmentDefaultActions"):
            if listed(at(inputs, f"firewallPolicy.{name}")) != ["aws:forward_to_sfe"]:
                problem = f"{name} decides without the connection"
                yield Finding("firewall-closed", policy["urn"], problem, "use aws:forward_to_sfe")


def firewalls_kept(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Network firewalls are protected from deletion and change, and log alerts and flows."""
    for firewall in of_type(resources, FIREWALL):
        for problem in differing(firewall["inputs"], PROTECTED):
            yield Finding("firewall-kept", firewall["urn"], problem, "protect it")
        kinds = {
            config.get("logType")
            for logging in of_type(resources, LOGGING)
            if firewall["urn"] in logging.get("depends", {}).get("firewallArn", [])
            for config in listed(at(logging["inputs"], "loggingConfiguration.logDestinationConfigs"))
        }
        for kind in sorted({"ALERT", "FLOW"} - kinds):
            yield Finding("firewall-kept", firewall["urn"], f"it logs no {kind}", "log alerts and flows")


GUARDRAILS: tuple[Guardrail, ...] = (firewalls_closed, firewalls_kept)
