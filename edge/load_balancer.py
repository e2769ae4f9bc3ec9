"""A hardened application load balancer: TLS in front, TLS behind, and an answer only for its own names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import lb

from edge.facts import TLS_POLICY
from tagging import tags

IDLE_SECONDS = 60
KEEP_ALIVE_SECONDS = 3600
DRAIN_SECONDS = 60
# RFC 6797; a year, the least that browsers' preload lists take.
HSTS = "max-age=31536000; includeSubDomains"


@dataclass(frozen=True)
class Target:
    """The one server role behind a load balancer: its port and its instances by node name."""

    role: str
    port: int
    instances: Mapping[str, pulumi.Output[str]]


@dataclass(frozen=True)
class BalancerArgs:
    """Where it stands, what it answers for, and what is behind it.

    `redirects`: whether port 80 answers too, with a redirect and nothing else. `log_bucket` takes what
    Elastic Load Balancing delivers, under `log_prefix`.
    """

    vpc_id: pulumi.Output[str]
    subnets: Sequence[pulumi.Output[str]]
    security_group: pulumi.Output[str]
    dual_stack: bool
    certificate: str
    hosts: Sequence[str]
    redirects: bool
    target: Target
    health_path: str
    log_bucket: pulumi.Output[str]
    log_prefix: str


class Balancer(pulumi.ComponentResource):
    """Load balancer, listeners and target group."""

    balancer: lb.LoadBalancer
    targets: lb.TargetGroup

    def __init__(self, name: str, args: BalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("stockade:edge:Balancer", name, {}, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        self.balancer = self._balancer()
        self.targets = self._targets()
        self._serve()
        if args.redirects:
            self._redirect()
        self.register_outputs({"arn": self.balancer.arn})

    def _balancer(self) -> lb.LoadBalancer:
        args, name = self._args, self._name
        return lb.LoadBalancer(
            name,
            load_balancer_type="application",
            internal=False,
            subnets=list(args.subnets),
            security_groups=[args.security_group],
            ip_address_type="dualstack" if args.dual_stack else "ipv4",
            enable_deletion_protection=True,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            enable_waf_fail_open=False,  # a firewall that does not answer lets nobody in
            enable_cross_zone_load_balancing=True,
            enable_http2=True,
            enable_tls_version_and_cipher_suite_headers=True,  # the application can see what was negotiated
            preserve_host_header=True,
            xff_header_processing_mode="append",
            idle_timeout=IDLE_SECONDS,
            client_keep_alive=KEEP_ALIVE_SECONDS,
            # The names of the objects say which load balancer and which kind of log.
            access_logs=lb.LoadBalancerAccessLogsArgs(
                enabled=True, bucket=args.log_bucket, prefix=args.log_prefix
            ),
            connection_logs=lb.LoadBalancerConnectionLogsArgs(
                enabled=True, bucket=args.log_bucket, prefix=args.log_prefix
            ),
            tags=tags(name),
            opts=self._child,
        )

    def _targets(self) -> lb.TargetGroup:
        target = self._args.target
        group = lb.TargetGroup(
            self._name,
            vpc_id=self._args.vpc_id,
            target_type="instance",
            # Encrypted again on its way inside. The load balancer encrypts with what the node chooses from
            # AES-256 suites only; it checks no certificate of a target (User Guide, "Target groups").
            protocol="HTTPS",
            protocol_version="HTTP1",
            port=target.port,
            deregistration_delay=DRAIN_SECONDS,
            load_balancing_algorithm_type="least_outstanding_requests",
            health_check=lb.TargetGroupHealthCheckArgs(
                enabled=True,
                protocol="HTTPS",
                port="traffic-port",
                path=self._args.health_path,
                matcher="200",
                interval=15,
                timeout=5,
                healthy_threshold=3,
                unhealthy_threshold=2,
            ),
            tags=tags(self._name, role=target.role),
            opts=self._child,
        )
        for node, instance in target.instances.items():
            lb.TargetGroupAttachment(
                f"{self._name}-{node}", target_group_arn=group.arn, target_id=instance, opts=self._child
            )
        return group

    def _serve(self) -> None:
        name, args = self._name, self._args
        nothing = lb.ListenerDefaultActionFixedResponseArgs(
            content_type="text/plain", message_body="not found", status_code="404"
        )
        listener = lb.Listener(
            f"{name}-443",
            load_balancer_arn=self.balancer.arn,
            port=443,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=args.certificate,
            # Scanners ask for addresses and other people's names; only our own names reach a node.
            default_actions=[lb.ListenerDefaultActionArgs(type="fixed-response", fixed_response=nothing)],
            routing_http_response_server_enabled=False,
            routing_http_response_strict_transport_security_header_value=HSTS,
            routing_http_response_x_content_type_options_header_value="nosniff",
            routing_http_response_x_frame_options_header_value="DENY",
            tags=tags(f"{name}-443"),
            opts=self._child,
        )
        lb.ListenerRule(
            f"{name}-hosts",
            listener_arn=listener.arn,
            priority=1,
            conditions=[
                lb.ListenerRuleConditionArgs(
                    host_header=lb.ListenerRuleConditionHostHeaderArgs(values=list(args.hosts))
                )
            ],
            actions=[lb.ListenerRuleActionArgs(type="forward", target_group_arn=self.targets.arn)],
            tags=tags(f"{name}-hosts"),
            opts=self._child,
        )

    def _redirect(self) -> None:
        onwards = lb.ListenerDefaultActionRedirectArgs(
            protocol="HTTPS",
            port="443",
            host="#{host}",
            path="/#{path}",
            query="#{query}",
            status_code="HTTP_301",
        )
        lb.Listener(
            f"{self._name}-80",
            load_balancer_arn=self.balancer.arn,
            port=80,
            protocol="HTTP",
            default_actions=[lb.ListenerDefaultActionArgs(type="redirect", redirect=onwards)],
            tags=tags(f"{self._name}-80"),
            opts=self._child,
        )
