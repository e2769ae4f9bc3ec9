"""The region contract: what the program made, in the shape of docs/contracts.md section 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi_aws import ec2

from iam.roles import NodeRoles
from network.component import Network
from network.intent import Intent, to_data
from network.vpc import Vpc
from nodes.component import Nodes
from settings import Settings
from storage.component import Storage

SCHEMA = "stockade/region/1"
# Sections of the stack file that later steps read as they are stated.
STATED = (
    "sites",
    "services",
    "patching",
    "retention",
    "data_classes",
    "customers",
    "administrators",
    "automation",
    "image",
)


def region_contract(  # noqa: PLR0913 - one argument per component of the program
    settings: Settings,
    intent: Intent,
    *,
    network: Network,
    storage: Storage,
    roles: NodeRoles,
    nodes: Nodes,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything later steps need to know about the region: ids, addresses, names and the intent. No secret
    in it. `more` holds the parts that components describe themselves, by their key in the contract.
    """
    return {
        "schema": SCHEMA,
        "stack": pulumi.get_stack(),
        "project": pulumi.get_project(),
        "region": settings.region,
        "account": settings.account,
        "allowed_regions": list(settings.residency.allowed_regions),
        "jurisdiction": settings.residency.jurisdiction,
        "vpcs": {key: _vpc(key, vpc, network) for key, vpc in network.vpcs.items()},
        "nodes": [node for key in settings.server_roles for node in _nodes(key, settings, network, nodes)],
        "buckets": storage.contract(),
        "keys": storage.key_arns(),
        "roles": {
            key: {
                "role_arn": role.arn,
                "instance_profile": roles.profiles[key].name,
                "boundary": roles.boundary.arn,
            }
            for key, role in roles.roles.items()
        },
        "vpn": {
            f"{site}/{vpc}": {
                "connection": connection.id,
                "customer_gateway": network.vpn.customer_gateways[site].id,
                "vpn_gateway": network.vpn.vpn_gateways[vpc].id,
            }
            for (site, vpc), connection in network.vpn.connections.items()
        },
        "load_balancer_groups": {name: group.id for name, group in network.groups.load_balancers.items()},
        "intent": to_data(intent, {key: _networks6(vpc) for key, vpc in network.vpcs.items()}),
        **_as_stated(settings),
        **({"procedures": settings.procedures} if settings.procedures else {}),
        **more,
    }


def _as_stated(settings: Settings) -> dict[str, Any]:
    stated = settings.model_dump(mode="json", include=set(STATED))
    return {key: stated[key] for key in STATED}


def _vpc(key: str, vpc: Vpc, network: Network) -> dict[str, Any]:
    gateway = network.vpn.vpn_gateways.get(key)
    return {
        "id": vpc.id,
        "cidr": str(vpc.cidr),
        **({"cidr6": vpc.cidr6} if vpc.cidr6 is not None else {}),
        "subnets": {
            name: {
                "id": vpc.subnets[name].id,
                "cidr": str(plan.cidr),
                **({"cidr6": vpc.subnets[name].ipv6_cidr_block} if vpc.cidr6 is not None else {}),
                "zone": plan.zone,
                "tier": plan.tier,
            }
            for name, plan in vpc.plan.items()
        },
        "vpn_gateway": gateway.id if gateway else None,
        "default_security_group": vpc.default_security_group.id,
        "flow_log": network.flow_logs.logs[key].id,
    }


def _networks6(vpc: Vpc) -> dict[str, list[Any]]:
    """Per tier the IPv6 blocks of its subnets, which only AWS knows."""
    if vpc.cidr6 is None:
        return {}
    tiers: dict[str, list[Any]] = {}
    for name, plan in vpc.plan.items():
        tiers.setdefault(plan.tier, []).append(vpc.subnets[name].ipv6_cidr_block)
    return tiers


def _address6(instance: ec2.Instance, vpc: Vpc) -> dict[str, Any]:
    if vpc.cidr6 is None:
        return {}
    return {"address6": instance.ipv6_addresses.apply(lambda found: found[0] if found else None)}


def _nodes(key: str, settings: Settings, network: Network, nodes: Nodes) -> list[dict[str, Any]]:
    role, fleet = settings.server_roles[key], nodes.fleets[key]
    return [
        {
            "name": placed.name,
            "role": key,
            "kind": str(settings.kind_of(key)),
            "profile": str(role.profile),
            "vpc": role.vpc,
            "tier": str(role.tier),
            "zone": placed.zone,
            "subnet": placed.subnet,
            "instance_id": fleet.instances[placed.name].id,
            "address": fleet.instances[placed.name].private_ip,
            "public_address": fleet.addresses[placed.name].public_ip if fleet.addresses else None,
            **_address6(fleet.instances[placed.name], network.vpcs[role.vpc]),
            "security_group": network.groups.roles[key].id,
        }
        for placed in nodes.placements[key]
    ]
