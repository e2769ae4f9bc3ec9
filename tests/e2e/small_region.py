"""Settings of a region with one node of each server role, for tests that send packets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from settings.calendar import today
from twin.machines.scratch import SETTINGS

THREE_NODES: dict[str, Any] = {
    **SETTINGS,
    "vpcs": {
        "customer": {"cidr": "10.20.0.0/16", "tiers": ["public", "private"]},
        "platform": {"cidr": "10.21.0.0/16", "tiers": ["public", "private", "isolated"]},
    },
    "server_roles": {
        "edge": {"vpc": "customer", "tier": "public", "count": 1, "instance_type": "m7i.large"},
        "app": {"vpc": "customer", "tier": "private", "count": 1, "instance_type": "m7i.large"},
        "archive": {"vpc": "platform", "tier": "isolated", "count": 1, "instance_type": "m7i.large"},
    },
    "sites": {
        "noc": {
            "kind": "noc",
            "gateway": "203.0.113.10",
            "ranges": ["172.30.10.0/24"],
            "vpcs": ["customer", "platform"],
            "asn": 65010,
        },
        "centre": {
            "kind": "service_centre",
            "gateway": "203.0.113.20",
            "ranges": ["172.30.20.0/24"],
            "vpcs": ["customer", "platform"],
            "asn": 65020,
        },
        "bank": {
            "kind": "customer",
            "gateway": "198.51.100.10",
            "ranges": ["192.168.64.0/24"],
            "vpcs": ["customer"],
            "asn": 65030,
            "routing": "static",
        },
    },
    # One is bound to the address of its gateway, the other has no site here at all.
    "customers": {
        name: {
            "sources": {
                "office": {"cidr": cidr, "change": "CHG-1", "until": f"{today() + timedelta(days=30)}"}
            },
            "classes": ["records"],
            "partition": "prefix",
        }
        for name, cidr in (("bank", "198.51.100.10/32"), ("insurer", "198.51.100.64/30"))
    },
    "firewall": [
        {
            "from": ["bound_sources", "customer"],
            "to": ["edge"],
            "protocol": "tcp",
            "port": 443,
            "why": "customers upload over TLS",
            "limit": {"connections": 50, "rate": 30},
        },
        {"from": ["edge"], "to": ["app"], "protocol": "tcp", "port": 8443, "why": "uploads are handed on"},
        {"from": ["app"], "to": ["archive"], "protocol": "tcp", "port": 9443, "why": "objects are kept"},
        {
            "from": ["noc", "service_centre"],
            "to": ["edge", "app", "archive"],
            "protocol": "tcp",
            "port": 22,
            "why": "administration",
        },
        {
            "from": ["edge", "app", "archive"],
            "to": ["package_proxy"],
            "protocol": "tcp",
            "port": 3142,
            "why": "signed packages",
        },
        {
            "from": ["edge", "app", "archive"],
            "to": ["time_servers"],
            "protocol": "udp",
            "port": 123,
            "why": "time",
        },
        {
            "from": ["edge", "app", "archive"],
            "to": ["log_collector"],
            "protocol": "tcp",
            "port": 19532,
            "why": "journals leave the node",
        },
        {"from": ["edge"], "to": ["aws_endpoints"], "protocol": "tcp", "port": 443, "why": "its records"},
    ],
}
