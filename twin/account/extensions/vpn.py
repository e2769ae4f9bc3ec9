"""Site-to-Site VPN: everything the caller sets is kept and given back; route propagation; static routes.

Shapes are those of the EC2 API reference (CreateVpnConnection, DescribeVpnConnections,
ModifyVpnTunnelOptions, EnableVgwRoutePropagation). What AWS would choose by itself is chosen here: outside
addresses, inside ranges, keys. Nothing dials these tunnels, so their telemetry says DOWN, as a new
connection's does.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import secrets
import string
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.vpn_connections import VPNConnection, VPNConnectionBackend
from moto.ec2.responses import EC2Response
from moto.secretsmanager.models import secretsmanager_backends

from twin.account.extensions.placing import place
from twin.account.extensions.vpn_document import customer_configuration

# The upper half of RFC 2544's block: never routed, so no tunnel can be mistaken for a real endpoint; elastic
# addresses come from the lower half (see addresses.py).
_OUTSIDE = ipaddress.ip_network("198.19.0.0/16")
# Tunnel options reference: a /30 of 169.254.0.0/16, except these.
_RESERVED = {ipaddress.ip_network(f"169.254.{third}.0/30") for third in (0, 1, 2, 3, 4, 5)} | {
    ipaddress.ip_network("169.254.169.252/30")
}
_INSIDE = (
    net for net in ipaddress.ip_network("169.254.0.0/16").subnets(new_prefix=30) if net not in _RESERVED
)
_outside = itertools.count(10)
# User guide: 8 to 64 characters, alphanumeric, period and underscore, not starting with zero.
_KEY_START = string.ascii_letters + string.digits[1:]
_KEY_CHARACTERS = string.ascii_letters + string.digits


def install() -> None:
    """Replace the parts of moto that drop options, and add the missing operations."""
    place(VPNConnection, customer_gateway_configuration=property(customer_configuration))
    _keep_options()
    place(EC2Response, modify_vpn_tunnel_options=modify_vpn_tunnel_options)
    place(EC2Response, create_vpn_connection_route=create_vpn_connection_route)
    place(EC2Response, delete_vpn_connection_route=delete_vpn_connection_route)
    place(EC2Response, enable_vgw_route_propagation=enable_vgw_route_propagation)
    place(EC2Response, disable_vgw_route_propagation=disable_vgw_route_propagation)
    place(
        RouteTable,
        propagating_vgws=property(lambda table: [{"GatewayId": vgw} for vgw in _propagating(table)]),
    )


def _keep_options() -> None:
    create, delete = EC2Response.create_vpn_connection, VPNConnectionBackend.delete_vpn_connection

    def create_vpn_connection(self: Any) -> Any:
        result: Any = create(self)
        connection = result.result["VpnConnection"]
        _fill(self, connection)
        return result

    def delete_vpn_connection(self: Any, vpn_connection_id: str) -> Any:
        connection: Any = delete(self, vpn_connection_id)
        arn = getattr(connection, "pre_shared_key_arn", None)
        if arn:
            vault = secretsmanager_backends[self.account_id][self.region_name]
            vault.delete_secret(arn, recovery_window_in_days=None, force_delete_without_recovery=True)
            connection.pre_shared_key_arn = None
        return connection

    place(EC2Response, create_vpn_connection=create_vpn_connection)
    place(VPNConnectionBackend, delete_vpn_connection=delete_vpn_connection)


def _fill(response: Any, connection: Any) -> None:
    wanted = dict(response._get_param("Options", {}) or {})
    given = list(wanted.pop("TunnelOptions", None) or [])
    tunnels = [_tunnel(_answered(given[index]) if index < len(given) else {}) for index in range(2)]
    connection.options = {
        "EnableAcceleration": False,
        "StaticRoutesOnly": False,
        "LocalIpv4NetworkCidr": "0.0.0.0/0",
        "RemoteIpv4NetworkCidr": "0.0.0.0/0",
        "OutsideIpAddressType": "PublicIpv4",
        "TunnelInsideIpVersion": "ipv4",
        **wanted,
        "TunnelOptions": tunnels,
    }
    connection.routes, connection.category = [], "VPN"
    connection.pre_shared_key_arn = None
    connection.gateway_association_state = "associated"
    connection.vgw_telemetry = [
        {"OutsideIpAddress": tunnel["OutsideIpAddress"], "Status": "DOWN", "LastStatusChange": utcnow()}
        | {"StatusMessage": "", "AcceptedRouteCount": 0}
        for tunnel in tunnels
    ]
    if response._get_param("PreSharedKeyStorage") == "SecretsManager":
        _move_keys(response, connection)


def _answered(options: dict[str, Any]) -> dict[str, Any]:
    """Requests say DPD and IKE, answers say Dpd and Ike."""
    spelling = {"DPDTimeoutAction": "DpdTimeoutAction", "DPDTimeoutSeconds": "DpdTimeoutSeconds"}
    spelling["IKEVersions"] = "IkeVersions"
    return {spelling.get(name, name): value for name, value in options.items()}


def _tunnel(options: dict[str, Any]) -> dict[str, Any]:
    options.setdefault("OutsideIpAddress", str(_OUTSIDE[next(_outside)]))
    options.setdefault("TunnelInsideCidr", str(next(_INSIDE)))
    options.setdefault("PreSharedKey", pre_shared_key())
    return options


def pre_shared_key() -> str:
    """A key as AWS makes one: 32 characters, the first of them no zero."""
    return secrets.choice(_KEY_START) + "".join(secrets.choice(_KEY_CHARACTERS) for _ in range(31))


def _move_keys(response: Any, connection: Any) -> None:
    """Into Secrets Manager, out of everything that describes the connection."""
    tunnels = connection.options["TunnelOptions"]
    keys = {t["OutsideIpAddress"]: t.pop("PreSharedKey") for t in tunnels}
    vault = secretsmanager_backends[response.current_account][response.region]
    made = vault.create_secret(
        name=f"s2svpn!{response.region}/{connection.id}",
        secret_string=json.dumps(keys),
        secret_binary=None,
        description=f"Pre-shared keys of VPN connection {connection.id}",
        tags=None,
        kms_key_id=None,
        client_request_token=None,
        replica_regions=[],
        force_overwrite=False,
    )
    connection.pre_shared_key_arn = json.loads(made)["ARN"]


def modify_vpn_tunnel_options(self: Any) -> ActionResult:
    """ModifyVpnTunnelOptions: replaces the named options of one tunnel."""
    connection = _connection(self)
    outside = self._get_param("VpnTunnelOutsideIpAddress")
    tunnel = next((t for t in connection.options["TunnelOptions"] if t["OutsideIpAddress"] == outside), None)
    if tunnel is None:
        raise EC2ClientError("InvalidVpnTunnel.NotFound", f"The tunnel '{outside}' does not exist")
    changes = _answered(self._get_param("TunnelOptions", {}) or {})
    if connection.pre_shared_key_arn and "PreSharedKey" in changes:
        vault: Any = secretsmanager_backends[self.current_account][self.region]
        kept = json.loads(vault.get_secret_value(connection.pre_shared_key_arn, "", "")["SecretString"])
        kept[outside] = changes.pop("PreSharedKey")
        vault.put_secret_value(
            connection.pre_shared_key_arn, json.dumps(kept), None, secrets.token_hex(16), ["AWSCURRENT"]
        )
    tunnel.update(changes)
    return ActionResult({"VpnConnection": connection})


def create_vpn_connection_route(self: Any) -> EmptyResult:
    """CreateVpnConnectionRoute: a static route of the connection."""
    connection, block = _connection(self), self._get_param("DestinationCidrBlock")
    if all(route["DestinationCidrBlock"] != block for route in connection.routes):
        connection.routes.append({"DestinationCidrBlock": block, "Source": "Static", "State": "available"})
    return EmptyResult()


def delete_vpn_connection_route(self: Any) -> EmptyResult:
    """DeleteVpnConnectionRoute."""
    connection, block = _connection(self), self._get_param("DestinationCidrBlock")
    kept = [route for route in connection.routes if route["DestinationCidrBlock"] != block]
    if len(kept) == len(connection.routes):
        raise EC2ClientError("InvalidRoute.NotFound", f"no route with destination {block}")
    connection.routes = kept
    return EmptyResult()


def _connection(response: Any) -> Any:
    identity = response._get_param("VpnConnectionId")
    return response.ec2_backend.describe_vpn_connections([identity])[0]


# ---------------------------------------------------------------------- propagation
def _propagating(table: Any) -> list[str]:
    found: list[str] = table.__dict__.setdefault("propagating_gateways", [])
    return found


def enable_vgw_route_propagation(self: Any) -> EmptyResult:
    """EnableVgwRoutePropagation: the gateway must be attached to the table's VPC."""
    gateway, table = self._get_param("GatewayId"), _table(self)
    attached = self.ec2_backend.get_vpn_gateway(gateway).attachments.get(table.vpc_id)
    if attached is None or attached.state != "attached":
        raise EC2ClientError(
            "Gateway.NotAttached", f"resource {gateway} is not attached to network {table.vpc_id}"
        )
    if gateway not in _propagating(table):
        _propagating(table).append(gateway)
    return EmptyResult()


def disable_vgw_route_propagation(self: Any) -> EmptyResult:
    """DisableVgwRoutePropagation."""
    gateway, table = self._get_param("GatewayId"), _table(self)
    if gateway in _propagating(table):
        _propagating(table).remove(gateway)
    return EmptyResult()


def _table(response: Any) -> Any:
    return response.ec2_backend.get_route_table(response._get_param("RouteTableId"))
