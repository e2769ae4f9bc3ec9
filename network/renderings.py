"""The four renderings of the firewall intent, from one place; a property test holds them together."""

from network.network_acls import AclEntry, TierBlock6, network_acls
from network.node_rules import node_rules
from network.reachability import Reach, reachability
from network.security_groups import (
    SgRule,
    endpoint_security_groups,
    load_balancer_security_groups,
    security_groups,
)

__all__ = [
    "AclEntry",
    "Reach",
    "SgRule",
    "TierBlock6",
    "endpoint_security_groups",
    "load_balancer_security_groups",
    "network_acls",
    "node_rules",
    "reachability",
    "security_groups",
]
