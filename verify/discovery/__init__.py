"""Finds the parts of a region in the account, and joins them with what the region contract promises.

The account is asked for everything of a kind, never only for what the program says it made: a bucket that
somebody added by hand is judged as well, and a promised one that is gone is a failure, not an absence of
results. One file per folder of the program; each has a table of its kinds.
"""

from __future__ import annotations

from verify.account import Account, AccountFault
from verify.discovery import (
    compute,
    detection,
    edge,
    identity,
    logs,
    network,
    network_services,
    storage,
    watch,
)
from verify.discovery.joining import Contract, Finder
from verify.subjects import Resource

KINDS: dict[str, Finder] = {
    **network.KINDS,
    **network_services.KINDS,
    **compute.KINDS,
    **storage.KINDS,
    **identity.KINDS,
    **logs.KINDS,
    **detection.KINDS,
    **edge.KINDS,
    **watch.KINDS,
}


def discover(kind: str, account: Account, contract: Contract) -> list[Resource]:
    """All resources of a kind, sorted by id; one that says so when the account does not answer."""
    try:
        found = list(KINDS[kind](account, contract))
    except AccountFault as fault:
        return [Resource(f"{kind}/unknown", kind, problem=str(fault), error=True)]
    nothing = Resource(f"{kind}/none", kind, absent=True)
    return sorted(found, key=lambda resource: resource.id) or [nothing]
