"""What holds data, keys or proof is not deleted by a mistake: protected by Pulumi and by AWS itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrails.model import Bounds, Finding, Guardrail, Planned, at, differing, of_type

# Losing one of these loses data, the key to data, or the proof of what happened.
PRECIOUS = (
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:backup/vault:Vault",
    "aws:cloudtrail/trail:Trail",
    "aws:secretsmanager/secret:Secret",
)
# AWS's own switch against deletion, by type: path of the input → the value it must have.
SWITCHES: dict[str, dict[str, object]] = {
    "aws:lb/loadBalancer:LoadBalancer": {"enableDeletionProtection": True},
    "aws:networkfirewall/firewall:Firewall": {"deleteProtection": True, "subnetChangeProtection": True},
}


def precious_protected(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Buckets, keys, vaults, trails and secrets are protected from being deleted by leaving them out."""
    for resource in of_type(resources, *PRECIOUS):
        if not resource.get("protect"):
            yield Finding("keep-protected", resource["urn"], "it is not protected", "set protect=True on it")


def nothing_emptied(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Nothing with content in it may be emptied so that it can be deleted."""
    for resource in resources:
        for name in ("forceDestroy", "forceDelete", "skipFinalSnapshot", "forceDetachPolicies"):
            if at(resource["inputs"], name) is True:
                yield Finding("keep-content", resource["urn"], f"{name} is set", "leave it off")


def switches_on(resources: Sequence[Planned], _bounds: Bounds) -> Iterator[Finding]:
    """Where AWS has a switch against the deletion of what carries traffic, it is on.

    Nodes have none: they hold nothing that is not also elsewhere, and replacing one is routine.
    """
    for kind, wanted in SWITCHES.items():
        for resource in of_type(resources, kind):
            for problem in differing(resource["inputs"], wanted):
                yield Finding("keep-switch", resource["urn"], problem, "switch the protection on")


GUARDRAILS: tuple[Guardrail, ...] = (precious_protected, nothing_emptied, switches_on)
