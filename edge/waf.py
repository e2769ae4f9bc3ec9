"""AWS WAF's resource types without the SDK's classes for them.

The first class of `pulumi_aws.wafv2` that is touched loads five megabytes of argument classes for nested
rules: 0.8 s with bytecode, measured 2026-11-22, an eighth of the whole program's time. What the program
registers is the same: type token, property names and the provider's version. A unit test holds all of it
against the SDK's own classes.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi_aws import _utilities


class _Resource(pulumi.CustomResource):
    """A resource by its type token and its properties in the provider's spelling."""

    kind: str
    computed: tuple[str, ...] = ()

    def __init__(self, name: str, properties: dict[str, Any], opts: pulumi.ResourceOptions) -> None:
        with_version = pulumi.ResourceOptions.merge(_utilities.get_resource_opts_defaults(), opts)
        super().__init__(self.kind, name, {**properties, **dict.fromkeys(self.computed)}, with_version)


class IpSet(_Resource):
    """Addresses of one family."""

    kind, computed = "aws:wafv2/ipSet:IpSet", ("arn",)
    arn: pulumi.Output[str]


class WebAcl(_Resource):
    """Rules in order, and what happens to whatever no rule decided."""

    kind, computed = "aws:wafv2/webAcl:WebAcl", ("arn", "capacity")
    arn: pulumi.Output[str]
    capacity: pulumi.Output[int]


class WebAclAssociation(_Resource):
    """A web ACL in front of a load balancer."""

    kind = "aws:wafv2/webAclAssociation:WebAclAssociation"


class WebAclLoggingConfiguration(_Resource):
    """Where a web ACL writes each request it judged."""

    kind = "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration"
