"""The four renderings of the firewall intent, in one place to import from. They must agree; a property test says so."""

from network.network_acls import AclEntry, network_acls
from network.node_rules import node_rules
from network.reachability import Reach, reachability
from network.security_groups import SgRule, endpoint_security_groups, security_groups

__all__ = [
    "AclEntry",
    "Reach",
    "SgRule",
    "endpoint_security_groups",
    "network_acls",
    "node_rules",
    "reachability",
    "security_groups",
]
