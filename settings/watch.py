"""What is watched, and against what."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from settings.types import Day, Model, Name, Network


class Indicator(Model):
    """A hostile address range; the same facts feed GuardDuty, the WAF and the nodes' firewalls."""

    cidr: Network = Field(description="address range")
    source: str = Field(min_length=3, max_length=120, description="which feed or incident it came from")
    added: Day = Field(description="day it was added")
    until: Day = Field(description="last day on which it is blocked")


class Detection(Model):
    """Detection services are always on; here stand the facts they need."""

    indicators: dict[Name, Indicator] = Field(
        default_factory=dict, description="threat intelligence, by name"
    )
    notify: tuple[Annotated[str, Field(pattern=r"^https://[a-z0-9.-]+(/\S*)?$")], ...] = Field(
        default=(), description="HTTPS endpoints that receive notices beside the incident queue"
    )
    thresholds: dict[Name, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="alarm thresholds that differ from detection/thresholds.yaml"
    )


class Dns(Model):
    """Names that nodes may resolve; every other name is refused by the VPC's resolver."""

    allowed_domains: tuple[Annotated[str, Field(pattern=r"^(\*\.)?([a-z0-9-]+\.)+[a-z]{2,}$")], ...] = Field(
        default=(), description="domains beside those of the region's own AWS endpoints, e.g. *.example.org"
    )
