"""The Pulumi program: settings → one provider → components → exports. Run by `pulumi up` and by the twin
alike.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.runtime.config import CONFIG, get_config_env

import pace
import settings
from detection.services import DetectionServices, DetectionServicesArgs
from detection.trail import Trail, TrailArgs
from detection.watch import Watch, WatchArgs
from edge.component import Edge, EdgeArgs
from fault import Fault
from iam import switches
from iam.account import AccountBaseline
from iam.roles import NodeRoles, NodeRolesArgs
from iam.team_grants import Place
from iam.teams import Teams, TeamsArgs
from network.component import Network, NetworkArgs
from network.dns import Resolver, ResolverArgs
from network.flow_log_archive import FlowLogArchive, FlowLogArchiveArgs
from network.inspection import Inspection, InspectionArgs
from network.intent import Intent, resolve
from network.public_access import PublicAccess, PublicAccessArgs
from nodes.component import Nodes, NodesArgs
from outputs import region_contract
from settings import Settings
from settings.calendar import genuine, today
from storage.backup import Backups, BackupsArgs
from storage.component import Storage, StorageArgs
from storage.keys import Keys, KeysArgs
from storage.partitions import data_access

HOST = "STOCKADE_HOST_ADDRESS"  # set by the twin: what runs now makes nothing outside this machine


def configuration() -> Settings:
    """The stack's settings; what is wrong in them comes as lines of text, not as a traceback."""
    try:
        if HOST not in os.environ and "pytest" not in sys.modules:
            genuine()
        # All keys at once: asking Pulumi for the keys we know would overlook those we do not know.
        return settings.parse_config({**get_config_env(), **CONFIG.get()})
    except (settings.SettingsError, Fault) as error:
        raise pulumi.RunError(str(error)) from error


def explicit_provider(config: Settings, stack: str) -> aws.Provider:
    """The one provider: it refuses any account but the stack's, and tags everything it makes."""
    tags = {"stockade:stack": stack, "stockade:owner": config.owner, "stockade:made-by": "pulumi"}
    return aws.Provider(
        "aws",
        region=config.region,
        allowed_account_ids=[config.account],
        skip_region_validation=False,  # the SDK would skip it by itself
        default_tags=aws.ProviderDefaultTagsArgs(tags=tags),
    )


def build(config: Settings, intent: Intent, stack: str) -> None:
    """Every component of the region, in the order of what needs what, and the region contract."""
    ours = pulumi.ResourceOptions(provider=explicit_provider(config, stack))
    account, region, logs = config.account, config.region, f"/stockade/{stack}"
    # VPN tunnels log under a prefix that AWS asks for; see network/vpn.py.
    vended, of_sns = f"/aws/vendedlogs{logs}/*", f"sns/{region}/{account}/{stack}-*"
    patterns = (f"{logs}/*", vended, of_sns)
    keys = Keys("keys", KeysArgs(account, region, stack, patterns), ours)
    network = Network("network", NetworkArgs(config, intent, keys.logs.arn, logs), ours)
    AccountBaseline("account", ours)
    teams = Teams("teams", TeamsArgs(config, Place(stack, account, region), keys.logs.arn, logs), ours)
    roles = NodeRoles(
        "node-roles",
        NodeRolesArgs(
            account=account,
            region=region,
            allowed_regions=config.residency.allowed_regions,
            stack=stack,
            roles=list(config.server_roles),
            data=data_access(config.data_classes, list(config.server_roles), stack, account),
            endpoints=network.storage_endpoints(),
            switched=switches.for_machines(config.access.switches),
        ),
        ours,
    )
    role_arns = {key: role.arn for key, role in roles.roles.items()}
    storage = Storage(
        "storage", StorageArgs(config, stack, keys, role_arns, network.storage_endpoints()), ours
    )
    backups = Backups("backups", BackupsArgs(config, stack, keys.backup.arn), ours)
    nodes = Nodes(
        "nodes",
        NodesArgs(
            settings=config,
            subnets={key: {k: s.id for k, s in vpc.subnets.items()} for key, vpc in network.vpcs.items()},
            security_groups={key: group.id for key, group in network.groups.roles.items()},
            instance_profiles={key: profile.arn for key, profile in roles.profiles.items()},
            volume_key_arn=keys.volumes.arn,
        ),
        ours,
    )
    vpcs = {key: vpc.id for key, vpc in network.vpcs.items()}
    FlowLogArchive("flow-log-archive", FlowLogArchiveArgs(vpcs, storage.delivery.log_target), ours)
    resolver = Resolver("dns", ResolverArgs(config, stack, vpcs, keys.logs.arn, logs), ours)
    inspections = {
        key: Inspection(
            key,
            InspectionArgs(config, intent, stack, network.vpcs[key], keys.logs.arn, logs, resolver.delivery),
            ours,
        )
        for key, block in config.vpcs.items()
        if block.inspection
    }
    public = PublicAccess("public-access", PublicAccessArgs(config, intent, network.vpcs), ours)
    trail = Trail(
        "trail",
        TrailArgs(
            account=account,
            region=region,
            stack=stack,
            # The policy's own output: CloudTrail tries to write as soon as there is a trail.
            bucket=storage.trail.log_target,
            key_arn=keys.trail.arn,
            logs_key_arn=keys.logs.arn,
            retention_days=config.retention.flow_logs_days,
            critical=[name for name, kept in config.data_classes.items() if kept.critical],
        ),
        ours,
    )
    edge = Edge(
        "edge",
        EdgeArgs(
            settings=config,
            intent=intent,
            stack=stack,
            vpcs=network.vpcs,
            security_groups={key: group.id for key, group in network.groups.load_balancers.items()},
            instances={
                key: {node: made.id for node, made in fleet.instances.items()}
                for key, fleet in nodes.fleets.items()
            },
            # The policy's own output: Elastic Load Balancing tries to write when its logs are switched on.
            log_bucket=storage.delivery.log_target,
        ),
        ours,
    )
    services = DetectionServices(
        "detection",
        DetectionServicesArgs(
            settings=config,
            stack=stack,
            today=today(),
            findings_bucket=storage.findings.log_target,
            findings_key=keys.findings.arn,
            delivery_bucket=storage.delivery.log_target,
        ),
        ours,
    )
    watch = Watch(
        "watch",
        WatchArgs(
            settings=config,
            stack=stack,
            key_arn=keys.notices.arn,
            log_key_arn=keys.logs.arn,
            trail_group=trail.log_group,
            tunnels={f"{site}-{vpc}": made.id for (site, vpc), made in network.vpn.connections.items()},
            flow_logs={vpc: group.name for vpc, group in network.flow_logs.groups.items()},
            buckets={
                name: made.name
                for name, made in storage.data.buckets.items()
                if config.data_classes[storage.data.partitions[name].data_class].critical
            },
            rolling=teams.windows.function.name if teams.windows else None,
            rolling_role=f"{stack}-window-roll",
            nat=any(vpc.nat_gateways for vpc in network.vpcs.values()),
        ),
        ours,
    )
    # What components say of themselves: key in the region contract → their `contract()`.
    more: dict[str, Any] = {
        **watch.contract(),
        "backup": backups.contract(),
        "teams": teams.contract(),
        "windows": teams.windows.contract() if teams.windows else None,
        "load_balancers": edge.contract(),
        "dns": resolver.contract(),
        "public_access": public.contract(),
        "inspection": {key: made.contract() for key, made in inspections.items()},
        "transit": network.transit.contract() if network.transit else None,
        "trail": trail.contract(),
        "detection": services.contract(),
    }
    pulumi.export(
        "region",
        region_contract(
            config, intent, network=network, storage=storage, roles=roles, nodes=nodes, more=more
        ),
    )
    addresses = {
        node: made.public_ip for fleet in nodes.fleets.values() for node, made in fleet.addresses.items()
    }
    pulumi.export("public_addresses", addresses)


pace.quicken()
CONFIGURATION = configuration()
build(CONFIGURATION, resolve(CONFIGURATION), pulumi.get_stack())
