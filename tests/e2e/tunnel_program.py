"""One connection of a stack file, made by the program's own components, without the rest of a region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import settings
from twin import account, program

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys

import pulumi
import pulumi_aws as aws

sys.path.insert(0, {root!r})
import settings
from network.vpc import Vpc, VpcArgs
from network.vpn import SiteVpn, SiteVpnArgs

stated = settings.load({stack!r}, __import__("pathlib").Path({root!r}))
provider = aws.Provider("aws", region=stated.region, allowed_account_ids=[stated.account])
ours = pulumi.ResourceOptions(provider=provider)
site, vpc = {site!r}, {vpc!r}
key = aws.kms.Key("logs", enable_key_rotation=True, opts=ours)
block = stated.vpcs[vpc]
args = SiteVpnArgs(
    sites={{site: stated.sites[site]}},
    vpcs={{vpc: Vpc(vpc, VpcArgs(block.cidr, stated.zones, block.tiers), ours)}},
    tiers={{vpc: []}},
    key_arn=key.arn,
    retention_days=400,
    prefix="/stockade/tunnel",
)
vpn = SiteVpn("vpn", args, ours)
pulumi.export("connection", vpn.connections[site, vpc].id)
"""


def connect(live: account.Account, home: Path, stack: str, site: str, vpc: str) -> dict[str, Any]:
    """Make the connection; returns the parts of a region contract that speak of it."""
    stated = settings.load(stack, ROOT)
    (home / "Pulumi.yaml").write_text("name: tunnel\nruntime: python\n")
    (home / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    (home / "__main__.py").write_text(PROGRAM.format(root=str(ROOT), stack=stack, site=site, vpc=vpc))
    made = program.run(stack, live, "up", root=home, build=home).outputs["connection"]
    return {
        "region": stated.region,
        "stack": stack,
        "sites": {site: stated.sites[site].model_dump(mode="json")},
        "vpcs": {vpc: {"cidr": str(stated.vpcs[vpc].cidr)}},
        "vpn": {f"{site}/{vpc}": {"connection": made}},
    }
