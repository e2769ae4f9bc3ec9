"""The web application firewall of one load balancer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from edge.rules import Admission, default_action, rules, visibility
from edge.sources import Network, of_version
from edge.waf import IpSet, WebAcl, WebAclAssociation, WebAclLoggingConfiguration
from tagging import tags

FAMILIES = (4, 6)
# Whoever reads the log must not get what a session or an account is opened with.
REDACTED_HEADERS = ("authorization", "cookie")


def ip_set(
    name: str, full_name: str, addresses: Sequence[str], version: int, opts: pulumi.ResourceOptions
) -> IpSet:
    """One set of addresses of one family."""
    return IpSet(
        f"{name}-v{version}",
        {
            "name": f"{full_name}-v{version}",
            "scope": "REGIONAL",
            "ipAddressVersion": f"IPV{version}",
            "addresses": list(addresses),
            "tags": tags(f"{full_name}-v{version}"),
        },
        opts,
    )


@dataclass(frozen=True)
class WebFirewallArgs:
    """What it stands in front of and whom it admits.

    `customers`: bound sources by customer, None when everybody is admitted. `hostile`: the region's sets of
    blocked ranges. `prefix`: what every name in this stack begins with. `log_bucket`: takes AWS WAF's logs,
    once its policy lets them, and is copied into the locked archive.
    """

    load_balancer_arn: pulumi.Output[str]
    hostile: Sequence[IpSet]
    customers: Mapping[str, Sequence[Network]] | None
    requests_per_five_minutes: int
    uploads: bool
    stack: str
    prefix: str
    log_bucket: pulumi.Output[str]


class WebFirewall(pulumi.ComponentResource):
    """A web ACL with its sets of bound sources, its log, and the load balancer it guards."""

    acl: WebAcl
    acl_name: str

    def __init__(self, name: str, args: WebFirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:edge:WebFirewall", name, {}, opts)
        self._args, self._child = args, pulumi.ResourceOptions(parent=self)
        self.acl_name = f"{args.prefix}-{name}"
        self.acl = self._acl(name)
        self._log(name)
        WebAclAssociation(
            name, {"webAclArn": self.acl.arn, "resourceArn": args.load_balancer_arn}, self._child
        )
        self.register_outputs({"acl": self.acl.arn})

    def _acl(self, name: str) -> WebAcl:
        args = self._args
        admission = Admission(
            hostile=[found.arn for found in args.hostile],
            customers=self._sources(name),
            requests_per_five_minutes=args.requests_per_five_minutes,
            uploads=args.uploads,
        )
        return WebAcl(
            name,
            {
                "name": self.acl_name,
                "description": f"Judges every request to the load balancer {name} of {args.stack}",
                "scope": "REGIONAL",
                "defaultAction": default_action(admission),
                "rules": rules(name, admission),
                "visibilityConfig": visibility(name),
                "tags": tags(self.acl_name),
            },
            self._child,
        )

    def _sources(self, name: str) -> dict[str, list[pulumi.Output[str]]] | None:
        """The ARNs of each customer's sets; a family of which it has no address gets no set."""
        if self._args.customers is None:
            return None
        return {
            customer: [
                ip_set(
                    f"{name}-{customer}", f"{self.acl_name}-{customer}", addresses, version, self._child
                ).arn
                for version in FAMILIES
                if (addresses := of_version(networks, version))
            ]
            for customer, networks in self._args.customers.items()
        }

    def _log(self, name: str) -> None:
        # A web ACL logs to one place. The bucket, since its objects end in the locked archive and a log group
        # is as long-lived as whoever may shorten its retention; alarms read AWS WAF's own metrics.
        WebAclLoggingConfiguration(
            name,
            {
                "resourceArn": self.acl.arn,
                "logDestinationConfigs": [pulumi.Output.concat("arn:aws:s3:::", self._args.log_bucket)],
                "redactedFields": [{"singleHeader": {"name": header}} for header in REDACTED_HEADERS],
            },
            self._child,
        )
