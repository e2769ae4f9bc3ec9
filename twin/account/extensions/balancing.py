"""Elastic Load Balancing: what CreateListener, CreateLoadBalancer and their attributes refuse and answer.

Shapes and messages are those of the Elastic Load Balancing API reference, 2015-12-01, and of the User Guide
for Application Load Balancers ("Load balancer attributes", "Listener attributes", "Enable access logs").
Nothing probes a target here, so its health stays what AWS says of a target that was not probed yet.
"""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from moto.elbv2 import responses
from moto.elbv2.exceptions import DuplicateListenerError, DuplicateLoadBalancerName, ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeListener, FakeLoadBalancer, FakeTargetGroup
from moto.elbv2.ssl_policies import SSL_POLICIES
from moto.s3.models import s3_backends
from moto.wafv2.models import wafv2_backends

from twin.account.extensions.placing import place

# User Guide, "Security policies", read 2026-11-22; moto's table ends before them.
_RFC9151_13 = ["TLS_AES_256_GCM_SHA384"]
_RFC9151_12 = ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"]
_ADDED_POLICIES = {
    "ELBSecurityPolicy-TLS13-1-3-RFC9151-FIPS-2023-07": (["TLSv1.3"], _RFC9151_13),
    "ELBSecurityPolicy-TLS13-1-2-RFC9151-FIPS-2023-07": (
        ["TLSv1.3", "TLSv1.2"],
        _RFC9151_13 + _RFC9151_12,
    ),
}
_DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com"
_LEAST_ZONES = 2
_APPLICATION = {
    "access_logs.s3.enabled": "false",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "health_check_logs.s3.enabled": "false",
    "client_keep_alive.seconds": "3600",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}


def install() -> None:
    """Replace what moto answers more simply than AWS does."""
    for name, (protocols, ciphers) in _ADDED_POLICIES.items():
        SSL_POLICIES.setdefault(name, {"name": name, "ciphers": ciphers, "ssl_protocols": protocols})
    _load_balancers()
    _listeners()
    _targets()


def _load_balancers() -> None:
    create, delete = ELBv2Backend.create_load_balancer, ELBv2Backend.delete_load_balancer
    modify, begin = ELBv2Backend.modify_load_balancer_attributes, FakeLoadBalancer.__init__

    def born(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self.scheme = self.scheme or "internet-facing"
        if self.type == "application":
            self.attrs |= _APPLICATION

    def create_load_balancer(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if any(found.name == name for found in self.load_balancers.values()):
            raise DuplicateLoadBalancerName()
        made: Any = create(self, name, *args, **kwargs)
        zones = {subnet.availability_zone for subnet in made.subnets}
        if made.type == "application" and len(zones) < _LEAST_ZONES:
            del self.load_balancers[made.arn]
            raise ELBClientError(
                "ValidationError",
                "At least two subnets in two different Availability Zones must be specified",
            )
        return made

    def delete_load_balancer(self: Any, arn: str) -> None:
        found = self.load_balancers.get(arn)
        if found and found.attrs.get("deletion_protection.enabled") == "true":
            message = f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
            raise ELBClientError("OperationNotPermitted", message)
        delete(self, arn)
        wafv2_backends[self.account_id][self.region_name].disassociate_web_acl(arn)
        for group in self.target_groups.values():
            group.load_balancer_arns = [other for other in group.load_balancer_arns if other != arn]

    def modify_load_balancer_attributes(self: Any, arn: str, attrs: dict[str, Any]) -> Any:
        before = dict(self.load_balancers[arn].attrs) if arn in self.load_balancers else {}
        for kind in ("access_logs", "connection_logs"):
            _check_delivery(self, before | attrs, f"{kind}.s3")
        return modify(self, arn, attrs)

    place(FakeLoadBalancer, __init__=born)
    place(
        ELBv2Backend,
        create_load_balancer=create_load_balancer,
        delete_load_balancer=delete_load_balancer,
        modify_load_balancer_attributes=modify_load_balancer_attributes,
    )


def _check_delivery(backend: Any, attrs: dict[str, Any], kind: str) -> None:
    """AWS writes a test object when logs are switched on; the bucket must let it, and take SSE-S3."""
    if attrs.get(f"{kind}.enabled") != "true":
        return
    name, prefix = str(attrs.get(f"{kind}.bucket")), attrs.get(f"{kind}.prefix")
    bucket = s3_backends[backend.account_id][backend.partition].buckets.get(name)
    if bucket is None:
        raise _refused(f"S3Bucket: {name} is not located in the same region, or does not exist")
    key = f"{prefix}/" if prefix else ""
    target = f"arn:aws:s3:::{name}/{key}AWSLogs/{backend.account_id}/ELBAccessLogTestFile"
    if not _may_write(bucket.policy, target) or _by_key(bucket):
        raise _refused(f"Access Denied for bucket: {name}. Please check S3bucket permission")


def _refused(message: str) -> ELBClientError:
    return ELBClientError("InvalidConfigurationRequest", message)


def _may_write(policy: Any, target: str) -> bool:
    statements = json.loads(policy)["Statement"] if policy else []
    return any(
        statement["Effect"] == "Allow"
        and isinstance(statement.get("Principal"), dict)
        and _DELIVERY in _listed(statement["Principal"].get("Service", []))
        and any(
            fnmatch.fnmatchcase("s3:PutObject", action) for action in _listed(statement.get("Action", []))
        )
        and any(fnmatch.fnmatchcase(target, pattern) for pattern in _listed(statement.get("Resource", [])))
        for statement in _listed(statements)
    )


def _by_key(bucket: Any) -> bool:
    rule = (
        (bucket.encryption or {}).get("ServerSideEncryptionConfiguration") or bucket.encryption or {}
    ).get("Rule", {})
    rule = rule[0] if isinstance(rule, list) else rule
    return bool(rule) and rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] != "AES256"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _listeners() -> None:
    begin, create, modify = FakeListener.__init__, ELBv2Backend.create_listener, ELBv2Backend.modify_listener
    delete, answer = ELBv2Backend.delete_listener, responses.ELBV2Response.create_listener

    def born(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        if self.protocol in ("HTTP", "HTTPS"):
            self.attributes = {"routing.http.response.server.enabled": "true"}
        if self.protocol == "HTTP":
            self.ssl_policy = None

    def create_listener(
        self: Any, load_balancer_arn: str, protocol: str, port: Any, *rest: Any, **kw: Any
    ) -> Any:
        balancer = self.load_balancers.get(load_balancer_arn)
        if balancer and any(str(other.port) == str(port) for other in balancer.listeners.values()):
            raise DuplicateListenerError()
        return create(self, load_balancer_arn, protocol, port, *rest, **kw)

    def modify_listener(self: Any, arn: str, *args: Any, **kwargs: Any) -> Any:
        made: Any = modify(self, arn, *args, **kwargs)
        if made.protocol == "HTTP":
            made.ssl_policy = None
        return made

    def delete_listener(self: Any, listener_arn: str) -> Any:
        gone: Any = delete(self, listener_arn)
        for group in self.target_groups.values():
            if not self._any_listener_using(group.arn):
                group.load_balancer_arns = []
        return gone

    def answer_create(self: Any) -> Any:
        policy, protocol = self._get_param("SslPolicy"), self._get_param("Protocol")
        if policy is not None and policy not in SSL_POLICIES:
            raise ELBClientError("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
        if protocol == "HTTPS" and not self._get_param("Certificates", []):
            raise ELBClientError("ValidationError", "A certificate must be specified for HTTPS listeners")
        return answer(self)

    place(FakeListener, __init__=born)
    place(
        ELBv2Backend,
        create_listener=create_listener,
        modify_listener=modify_listener,
        delete_listener=delete_listener,
    )
    place(responses.ELBV2Response, create_listener=answer_create)


def _targets() -> None:
    health = FakeTargetGroup.health_for

    def health_for(self: Any, target: dict[str, Any], ec2_backend: Any) -> Any:
        found: Any = health(self, target, ec2_backend)
        if found.status == "healthy":
            found.status, found.reason = "initial", "Elb.RegistrationInProgress"
            found.description = "Target registration is in progress"
        return found

    place(FakeTargetGroup, health_for=health_for)
