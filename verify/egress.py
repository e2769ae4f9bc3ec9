"""What the firewall intent of the region contract says about the way out to the internet. Plain reads."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

Contract = dict[str, Any]
# A prefix so short that it means "anybody", whether or not it is written 0.0.0.0/0.
_WIDE = {4: 7, 6: 15}


def everybody(block: str | None) -> bool:
    """Whether a range means the whole internet, or so much of it that nobody chose it."""
    if not block or "/" not in block:
        return False
    network = ip_network(block, strict=False)
    return network.prefixlen <= _WIDE[network.version]


def declared(contract: Contract, vpc_id: str) -> set[tuple[str, int]]:
    """(protocol, port) on which the intent lets roles of a VPC call the internet; empty: no way out."""
    names = {planned["id"]: name for name, planned in contract["vpcs"].items()}
    return {
        (flow["protocol"], flow["port"])
        for flow in contract["intent"]["flows"]
        if flow["target"]["kind"] == "internet" and flow["source"]["vpc"] == names.get(vpc_id)
    }


def calls(contract: Contract, owner: tuple[str, str] | None) -> set[tuple[str, int]]:
    """(protocol, port) on which the intent lets one role (kind and name) call the internet."""
    return {
        (flow["protocol"], flow["port"])
        for flow in contract["intent"]["flows"]
        if flow["target"]["kind"] == "internet" and (flow["source"]["kind"], flow["source"]["name"]) == owner
    }
