"""What faces the internet beside the nodes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from settings.types import Model, Name

HostName = Annotated[
    str, Field(pattern=r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$", max_length=128)
]


class LoadBalancer(Model):
    """An application load balancer in the public tier; its name is a word of the firewall intent.

    Rules `internet → <name>` open its listeners (443 serves, 80 only redirects); rules `<name> → role` name
    its targets.
    """

    vpc: Name = Field(description="name of its VPC, which has a public tier")
    certificate: str = Field(
        pattern=r"^arn:aws:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}$",
        description="ACM certificate of this account and region",
    )
    # User Guide for Application Load Balancers, "Quotas" (read 2026-11): five values in one listener rule.
    hosts: tuple[HostName, ...] = Field(
        min_length=1, max_length=5, description="host names it answers for; any other is answered 404"
    )
    sources: Literal["customers", "internet"] = Field(
        description="customers: only the sources bound to a customer; internet: everybody the firewall admits"
    )
    requests_per_five_minutes: Annotated[int, Field(ge=10, le=2_000_000_000, strict=True)] = Field(
        description="the most requests from one address in five minutes"
    )
    uploads: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="lets bodies over 8 KB through, of which the firewall sees the beginning only",
    )
    health_path: str = Field(
        default="/", pattern=r"^/[A-Za-z0-9/_.-]*$", description="path of the health check"
    )
    shield_advanced: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="AWS Shield Advanced for it (needs the organisation's paid subscription)"
    )
