"""Customer gateways, VPN gateways, route propagation, site-to-site connections."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from twin.program.handlers.spec import Call, Plain, Setting, Spec, tag_list, to_aws, to_pulumi

_TUNNEL_INPUT = re.compile(r"^tunnel([12])([A-Z]\w*)$")
_TUNNEL_NAMES = {
    "insideCidr": "TunnelInsideCidr",
    "insideIpv6Cidr": "TunnelInsideIpv6Cidr",
    "presharedKey": "PreSharedKey",
}
_LISTS = {"Phase1EncryptionAlgorithms", "Phase2EncryptionAlgorithms", "Phase1IntegrityAlgorithms"} | {
    "Phase2IntegrityAlgorithms",
    "Phase1DHGroupNumbers",
    "Phase2DHGroupNumbers",
    "IKEVersions",
}
_OPTIONS = frozenset(
    {"staticRoutesOnly", "localIpv4NetworkCidr", "remoteIpv4NetworkCidr", "enableAcceleration"}
    | {"tunnelInsideIpVersion", "outsideIpAddressType", "transportTransitGatewayAttachmentId"}
)


# ---------------------------------------------------------------------- gateways
def _attach(call: Call, identity: str) -> None:
    client, wanted = call.client("ec2"), call.inputs.get("vpcId")
    for vpc in _attached(call, identity):
        if vpc != wanted:
            client.detach_vpn_gateway(VpnGatewayId=identity, VpcId=vpc)
    if wanted and wanted not in _attached(call, identity):
        client.attach_vpn_gateway(VpnGatewayId=identity, VpcId=wanted)


def _attached(call: Call, identity: str) -> list[str]:
    found = call.client("ec2").describe_vpn_gateways(VpnGatewayIds=[identity])["VpnGateways"]
    attachments = found[0].get("VpcAttachments", []) if found else []
    return [item["VpcId"] for item in attachments if item["State"] == "attached"]


def _detach(call: Call, identity: str, _outputs: Plain) -> None:
    for vpc in _attached(call, identity):
        call.client("ec2").detach_vpn_gateway(VpnGatewayId=identity, VpcId=vpc)


def _gateway_facts(call: Call, identity: str, item: Plain) -> Plain:
    attached = [a["VpcId"] for a in item.get("VpcAttachments", []) if a["State"] == "attached"]
    return {
        "arn": call.arn("ec2", f"vpn-gateway/{identity}"),
        "vpcId": attached[0] if attached else None,
        "amazonSideAsn": str(item["AmazonSideAsn"]) if item.get("AmazonSideAsn") else None,
    }


@dataclass(frozen=True, kw_only=True)
class Propagation(Spec):
    """A route table that learns from a gateway."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Gateway and table."""
        return f"{call.inputs['vpnGatewayId']}_{call.inputs['routeTableId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The table, when it lists the gateway."""
        gateway, table = identity.split("_")
        wanted = [{"Name": "route-table-id", "Values": [table]}]
        for found in call.client("ec2").describe_route_tables(Filters=wanted)["RouteTables"]:
            if any(vgw["GatewayId"] == gateway for vgw in found.get("PropagatingVgws", [])):
                return {"VpnGatewayId": gateway, "RouteTableId": table}
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Stop learning."""
        if self.fetch(call, identity) is not None:
            gateway, table = identity.split("_")
            call.client("ec2").disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=table)


@dataclass(frozen=True, kw_only=True)
class Attachment(Spec):
    """A gateway on a VPC, as a resource of its own."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Gateway and VPC."""
        return f"{call.inputs['vpnGatewayId']}_{call.inputs['vpcId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """Only an attachment in force counts."""
        gateway, vpc = identity.split("_")
        return {"VpnGatewayId": gateway, "VpcId": vpc} if vpc in _attached(call, gateway) else None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Detach."""
        gateway, vpc = identity.split("_")
        if vpc in _attached(call, gateway):
            call.client("ec2").detach_vpn_gateway(VpnGatewayId=gateway, VpcId=vpc)


# ---------------------------------------------------------------------- connections
def tunnel_options(inputs: Plain) -> list[Plain]:
    """`tunnel1Phase1DhGroupNumbers=[20]` … as the two TunnelOptions of the API, in the API's spelling."""
    tunnels: list[Plain] = [{}, {}]
    for name, value in inputs.items():
        match = _TUNNEL_INPUT.match(name)
        if match and value is not None:
            option = match[2][:1].lower() + match[2][1:]
            tunnels[int(match[1]) - 1][_TUNNEL_NAMES.get(option, option)] = value
    return tunnels


def _listed(options: Plain) -> Plain:
    # the API wraps every member of these lists: [{"Value": "ikev2"}]
    names = {name.lower() for name in _LISTS}
    return {k: [{"value": v} for v in value] if k.lower() in names else value for k, value in options.items()}


@dataclass(frozen=True, kw_only=True)
class Connection(Spec):
    """A site-to-site connection with its two tunnels."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """Options of the connection and of each tunnel, under Options."""
        rest = {
            k: v for k, v in call.inputs.items() if not _TUNNEL_INPUT.match(k) and k not in self.known_inputs
        }
        options = {name: rest.pop(name) for name in list(rest) if name in _OPTIONS}
        options["tunnelOptions"] = [_listed(tunnel) for tunnel in tunnel_options(call.inputs)]
        parameters = to_aws(client, self.create, rest | {"options": options}, self.rename)
        if call.tags:
            parameters["TagSpecifications"] = [{"ResourceType": self.tag_kind, "Tags": tag_list(call.tags)}]
        return parameters

    def can_change(self, changed: set[str]) -> bool:
        """Tunnel options change one tunnel at a time; inside ranges are fixed with the connection."""
        fixed = {"InsideCidr", "InsideIpv6Cidr"}
        tunnels = {name for name in changed if (m := _TUNNEL_INPUT.match(name)) and m[2] not in fixed}
        return changed - tunnels <= {"tags", "tagsAll"}

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """ModifyVpnTunnelOptions for each tunnel that differs."""
        client = call.client("ec2")
        found = client.describe_vpn_connections(VpnConnectionIds=[identity])["VpnConnections"][0]
        wanted = tunnel_options({name: call.inputs.get(name) for name in changed})
        for options, tunnel in zip(wanted, found["Options"]["TunnelOptions"], strict=True):
            if options:
                given = {"tunnelOptions": _listed(options)}
                client.modify_vpn_tunnel_options(
                    VpnConnectionId=identity,
                    VpnTunnelOutsideIpAddress=tunnel["OutsideIpAddress"],
                    **to_aws(client, "modify_vpn_tunnel_options", given, {}),
                )
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)


def _connection_facts(call: Call, identity: str, item: Plain) -> Plain:
    options = item.get("Options") or {}
    facts: Plain = {k: v for k, v in to_pulumi(options).items() if k in _OPTIONS}
    facts |= {
        "arn": call.arn("ec2", f"vpn-connection/{identity}"),
        "presharedKeyStorage": "SecretsManager" if item.get("PreSharedKeyArn") else "Standard",
        "presharedKeyArn": item.get("PreSharedKeyArn"),
        "vgwTelemetries": to_pulumi(item.get("VgwTelemetry") or []),
    }
    for index, tunnel in enumerate(options.get("TunnelOptions") or [], start=1):
        facts |= {
            f"tunnel{index}{name[:1].upper()}{name[1:]}": v for name, v in _tunnel_facts(tunnel).items()
        }
    return facts


def _tunnel_facts(tunnel: Plain) -> Plain:
    values = {k: [i["Value"] for i in v] if _is_values(v) else to_pulumi(v) for k, v in tunnel.items()}
    names = {
        "OutsideIpAddress": "address",
        "Phase1DHGroupNumbers": "phase1DhGroupNumbers",
        "Phase2DHGroupNumbers": "phase2DhGroupNumbers",
        **{api: own for own, api in _TUNNEL_NAMES.items()},
    }
    facts: Plain = {names.get(k, k[:1].lower() + k[1:]): v for k, v in values.items()}
    logs = (facts.get("logOptions") or {}).get("cloudWatchLogOptions")
    if logs is not None:
        facts["logOptions"] = {"cloudwatchLogOptions": logs}
    if tunnel.get("TunnelInsideCidr"):
        inside = ipaddress.ip_network(tunnel["TunnelInsideCidr"])
        facts |= {"vgwInsideAddress": str(inside[1]), "cgwInsideAddress": str(inside[2])}
    return facts


def _is_values(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and set(item) == {"Value"} for item in value
    )


def _known(client: Any, connection: str) -> list[Plain]:
    """The connection, unless it is gone."""
    try:
        found: list[Plain] = client.describe_vpn_connections(VpnConnectionIds=[connection])["VpnConnections"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidVpnConnectionID.NotFound":
            raise
        return []
    return [item for item in found if item["State"] != "deleted"]


@dataclass(frozen=True, kw_only=True)
class StaticRoute(Spec):
    """A static route of a connection."""

    def identify(self, call: Call, answer: Plain) -> str:
        """Destination and connection."""
        return f"{call.inputs['destinationCidrBlock']}:{call.inputs['vpnConnectionId']}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The route in its connection."""
        block, connection = identity.rsplit(":", 1)
        for found in _known(call.client("ec2"), connection):
            for route in found.get("Routes", []):
                if route["DestinationCidrBlock"] == block and route["State"] != "deleted":
                    return {**route, "VpnConnectionId": connection}
        return None

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete by destination."""
        if self.fetch(call, identity) is not None:
            block, connection = identity.rsplit(":", 1)
            call.client("ec2").delete_vpn_connection_route(
                VpnConnectionId=connection, DestinationCidrBlock=block
            )


def _customer_facts(call: Call, identity: str, item: Plain) -> Plain:
    return {
        "arn": call.arn("ec2", f"customer-gateway/{identity}"),
        "bgpAsn": str(item["BgpAsn"]) if item.get("BgpAsn") else None,
        "bgpAsnExtended": str(item["BgpAsnExtended"]) if item.get("BgpAsnExtended") else None,
    }


SPECS = (
    Spec(
        type="aws:ec2/customerGateway:CustomerGateway",
        service="ec2",
        create="create_customer_gateway",
        made="CustomerGateway.CustomerGatewayId",
        read="describe_customer_gateways",
        by="CustomerGatewayIds",
        item="CustomerGateways[0]",
        delete="delete_customer_gateway",
        delete_by="CustomerGatewayId",
        tag_kind="customer-gateway",
        more=_customer_facts,
    ),
    Spec(
        type="aws:ec2/vpnGateway:VpnGateway",
        service="ec2",
        create="create_vpn_gateway",
        made="VpnGateway.VpnGatewayId",
        read="describe_vpn_gateways",
        by="VpnGatewayIds",
        item="VpnGateways[0]",
        delete="delete_vpn_gateway",
        delete_by="VpnGatewayId",
        tag_kind="vpn-gateway",
        fixed={"Type": "ipsec.1"},
        after=(Setting(("vpcId",), _attach),),
        before_delete=_detach,
        more=_gateway_facts,
    ),
    Attachment(
        type="aws:ec2/vpnGatewayAttachment:VpnGatewayAttachment",
        service="ec2",
        create="attach_vpn_gateway",
        exclusive=True,
    ),
    Propagation(
        type="aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation",
        service="ec2",
        create="enable_vgw_route_propagation",
        rename={"vpnGatewayId": "GatewayId"},
        exclusive=True,
    ),
    Connection(
        type="aws:ec2/vpnConnection:VpnConnection",
        service="ec2",
        create="create_vpn_connection",
        made="VpnConnection.VpnConnectionId",
        read="describe_vpn_connections",
        by="VpnConnectionIds",
        item="VpnConnections[0]",
        delete="delete_vpn_connection",
        delete_by="VpnConnectionId",
        tag_kind="vpn-connection",
        rename={"presharedKeyStorage": "PreSharedKeyStorage"},
        secret_outputs=frozenset(
            {"tunnel1PresharedKey", "tunnel2PresharedKey", "customerGatewayConfiguration"}
        ),
        # a key handed to Secrets Manager is not given back by EC2: that is the point of it
        write_only=frozenset({"tunnel1PresharedKey", "tunnel2PresharedKey"}),
        more=_connection_facts,
    ),
    StaticRoute(
        type="aws:ec2/vpnConnectionRoute:VpnConnectionRoute",
        service="ec2",
        create="create_vpn_connection_route",
        exclusive=True,
    ),
)
