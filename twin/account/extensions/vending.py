"""The account as an organisation's account factory hands it out: without the default VPC of any region.

moto starts every region with a default VPC, as an account opened by hand has. Regulated organisations
vend accounts without one (AWS Control Tower removes it by itself), and a stack's region contract plans none;
against an account that still has one, STK-NET-001 turns red and says to delete it.
"""

from __future__ import annotations

import functools
from typing import Any

from moto.ec2.models import EC2Backend

from twin.account.extensions.placing import place


def install() -> None:
    """Let every region's network start empty."""
    begin = EC2Backend.__init__

    @functools.wraps(begin)
    def without_default_vpc(self: Any, region_name: str, account_id: str) -> None:
        begin(self, region_name, account_id)
        for zone in list(self.subnets.values()):
            for subnet in list(zone.values()):
                self.delete_subnet(subnet.id)
        for vpc in list(self.vpcs.values()):
            self.delete_vpc(vpc.id)

    place(EC2Backend, __init__=without_default_vpc)
