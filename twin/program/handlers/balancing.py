"""Elastic Load Balancing: application load balancers, target groups and the targets in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, Unsupported, tag_list, tags_of

ELB = "elbv2"
# Input of the provider → key of the attribute (User Guide, "Load balancer attributes").
_OF_BALANCER = {
    "enableDeletionProtection": "deletion_protection.enabled",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableHttp2": "routing.http2.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "clientKeepAlive": "client_keep_alive.seconds",
}
_LOGS = {"accessLogs": "access_logs.s3", "connectionLogs": "connection_logs.s3"}
_OF_GROUP = {
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "slowStart": "slow_start.duration_seconds",
}
_HEALTH = {
    "enabled": "HealthCheckEnabled",
    "protocol": "HealthCheckProtocol",
    "port": "HealthCheckPort",
    "path": "HealthCheckPath",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def attribute_pairs(inputs: Mapping[str, Any], table: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": _text(inputs[name])} for name, key in table.items() if name in inputs]


@dataclass(frozen=True, kw_only=True)
class Balancing(Spec):
    """A resource with an ARN as its id; tags and attributes have operations of their own."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The description, with the tags beside it."""
        client = call.client(ELB)
        try:
            answer = getattr(client, self.read)(**{self.by: [identity]})
            tags = client.describe_tags(ResourceArns=[identity])["TagDescriptions"]
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        found = answer[self.item]
        return {**found[0], "Tags": tags[0]["Tags"] if tags else []} if found else None

    def is_dead(self, item: Plain) -> bool:
        """What is described exists."""
        return False

    def retag(self, call: Call, identity: str) -> None:
        """Exactly the tags wanted."""
        client = call.client(ELB)
        found = tags_of(client.describe_tags(ResourceArns=[identity])["TagDescriptions"][0])
        stale = set(found) - set(call.tags)
        if stale:
            client.remove_tags(ResourceArns=[identity], TagKeys=sorted(stale))
        if call.tags:
            client.add_tags(ResourceArns=[identity], Tags=tag_list(call.tags))


# ---------------------------------------------------------------------- load balancers
def _attributes(call: Call, identity: str) -> None:
    pairs = attribute_pairs(call.inputs, _OF_BALANCER)
    for name, key in _LOGS.items():
        logs = call.inputs.get(name) or {}
        pairs += [{"Key": f"{key}.{part}", "Value": _text(value)} for part, value in logs.items()]
    if pairs:
        call.client(ELB).modify_load_balancer_attributes(LoadBalancerArn=identity, Attributes=pairs)


def attributes_of(inputs: Mapping[str, Any], table: Mapping[str, str], found: Mapping[str, str]) -> Plain:
    """Attributes as outputs; only those the program set, since the rest may have another type there."""
    return {name: found[key] for name, key in table.items() if name in inputs and key in found}


def _balancer_facts(call: Call, identity: str, item: Plain) -> Plain:
    answer = call.client(ELB).describe_load_balancer_attributes(LoadBalancerArn=identity)["Attributes"]
    found = {pair["Key"]: pair["Value"] for pair in answer}
    logs = {
        name: {part: found.get(f"{key}.{part}") for part in ("enabled", "bucket", "prefix")}
        for name, key in _LOGS.items()
    }
    return {
        "arn": identity,
        "arnSuffix": identity.partition(":loadbalancer/")[2],
        "name": item["LoadBalancerName"],
        "dnsName": item["DNSName"],
        "zoneId": item["CanonicalHostedZoneId"],
        "internal": item["Scheme"] == "internal",
        "loadBalancerType": item["Type"],
        "subnets": [zone["SubnetId"] for zone in item["AvailabilityZones"]],
        "securityGroups": item.get("SecurityGroups", []),
        "ipAddressType": item["IpAddressType"],
        **logs,
        **attributes_of(call.inputs, _OF_BALANCER, found),
    }


@dataclass(frozen=True, kw_only=True)
class Balancer(Balancing):
    """CreateLoadBalancer and the attributes, which are set after it."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """`internal` is a scheme, `loadBalancerType` a type."""
        inputs = call.inputs
        known = {"name", "subnets", "securityGroups", "internal", "loadBalancerType", "ipAddressType"}
        settled = {name for setting in self.after for name in setting.inputs}
        for name in set(inputs) - known - settled - self.known_inputs:
            raise Unsupported(name)
        return {
            "Name": inputs["name"],
            "Subnets": inputs["subnets"],
            "SecurityGroups": inputs.get("securityGroups", []),
            "Scheme": "internal" if inputs.get("internal") else "internet-facing",
            "Type": inputs.get("loadBalancerType", "application"),
            "IpAddressType": inputs.get("ipAddressType", "ipv4"),
            "Tags": tag_list(call.tags),
        }

    def settle(self, call: Call, identity: str) -> None:
        """Everything but attributes is there since the creation."""
        _attributes(call, identity)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """AWS refuses while it is protected; where the account itself ends, the protection ends too."""
        if call.ending and self.fetch(call, identity) is not None:
            call.client(ELB).modify_load_balancer_attributes(
                LoadBalancerArn=identity,
                Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
            )
        super().drop(call, identity, outputs)


def _place(call: Call, identity: str) -> None:
    call.client(ELB).set_subnets(LoadBalancerArn=identity, Subnets=call.inputs["subnets"])


def _groups(call: Call, identity: str) -> None:
    call.client(ELB).set_security_groups(
        LoadBalancerArn=identity, SecurityGroups=call.inputs["securityGroups"]
    )


def _families(call: Call, identity: str) -> None:
    call.client(ELB).set_ip_address_type(
        LoadBalancerArn=identity, IpAddressType=call.inputs.get("ipAddressType", "ipv4")
    )


# ---------------------------------------------------------------------- target groups
def _health(call: Call, identity: str) -> None:
    check = dict(call.inputs["healthCheck"])
    matcher = check.pop("matcher", None)
    unknown = set(check) - set(_HEALTH)
    if unknown:
        raise Unsupported(f"healthCheck {', '.join(sorted(unknown))}")
    params: Plain = {_HEALTH[name]: value for name, value in check.items()}
    if matcher is not None:
        params["Matcher"] = {"HttpCode": str(matcher)}
    call.client(ELB).modify_target_group(TargetGroupArn=identity, **params)


def _group_attributes(call: Call, identity: str) -> None:
    pairs = attribute_pairs(call.inputs, _OF_GROUP)
    call.client(ELB).modify_target_group_attributes(TargetGroupArn=identity, Attributes=pairs)


def _group_facts(call: Call, identity: str, item: Plain) -> Plain:
    answer = call.client(ELB).describe_target_group_attributes(TargetGroupArn=identity)["Attributes"]
    found = {pair["Key"]: pair["Value"] for pair in answer}
    check = {name: item.get(member) for name, member in _HEALTH.items()}
    return {
        "arn": identity,
        "arnSuffix": identity.rpartition(":")[2],
        "name": item["TargetGroupName"],
        "healthCheck": {**check, "matcher": item.get("Matcher", {}).get("HttpCode")},
        **attributes_of(call.inputs, _OF_GROUP, found),
    }


@dataclass(frozen=True, kw_only=True)
class Attachment(Spec):
    """An instance in a target group."""

    def make(self, call: Call) -> str:
        """RegisterTargets says nothing back; group and target are the id."""
        with call.aws.once(call.token):
            call.client(ELB).register_targets(
                TargetGroupArn=call.inputs["targetGroupArn"], Targets=[self._target(call)]
            )
        return f"{call.inputs['targetGroupArn']}|{call.inputs['targetId']}"

    def _target(self, call: Call) -> Plain:
        target: Plain = {"Id": call.inputs["targetId"]}
        return target | ({"Port": int(call.inputs["port"])} if "port" in call.inputs else {})

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Registered, whatever its health."""
        group, _, target = identity.partition("|")
        try:
            answer = call.client(ELB).describe_target_health(TargetGroupArn=group)
        except ClientError as error:
            if self.means_gone(error):
                return None
            raise
        for found in answer["TargetHealthDescriptions"]:
            if found["Target"]["Id"] == target:
                return {"TargetGroupArn": group, "TargetId": target, "Port": found["Target"]["Port"]}
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """DeregisterTargets."""
        group, _, target = identity.partition("|")
        if self.fetch(call, identity) is not None:
            call.client(ELB).deregister_targets(TargetGroupArn=group, Targets=[{"Id": target}])


SPECS = (
    Balancer(
        type="aws:lb/loadBalancer:LoadBalancer",
        service=ELB,
        create="create_load_balancer",
        made="LoadBalancers[0].LoadBalancerArn",
        read="describe_load_balancers",
        by="LoadBalancerArns",
        item="LoadBalancers",
        delete="delete_load_balancer",
        delete_by="LoadBalancerArn",
        name_input="name",
        max_name=32,
        tags_as="Tags",
        after=(
            Setting((*_OF_BALANCER, *_LOGS), _attributes),
            Setting(("subnets",), _place),
            Setting(("securityGroups",), _groups),
            Setting(("ipAddressType",), _families),
        ),
        more=_balancer_facts,
    ),
    Balancing(
        type="aws:lb/targetGroup:TargetGroup",
        service=ELB,
        create="create_target_group",
        made="TargetGroups[0].TargetGroupArn",
        read="describe_target_groups",
        by="TargetGroupArns",
        item="TargetGroups",
        delete="delete_target_group",
        delete_by="TargetGroupArn",
        name_input="name",
        max_name=32,
        tags_as="Tags",
        after=(Setting(("healthCheck",), _health), Setting(tuple(_OF_GROUP), _group_attributes)),
        more=_group_facts,
    ),
    Attachment(type="aws:lb/targetGroupAttachment:TargetGroupAttachment", service=ELB),
)
