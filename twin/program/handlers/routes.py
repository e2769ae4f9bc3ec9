"""Route tables, routes, and which subnet uses which table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from twin.program.handlers.network import the
from twin.program.handlers.spec import Call, Plain, Setting, Spec, to_aws

_TARGETS = frozenset(
    {"gatewayId", "natGatewayId", "vpcPeeringConnectionId", "transitGatewayId", "vpcEndpointId"}
    | {"networkInterfaceId", "egressOnlyGatewayId", "localGatewayId", "carrierGatewayId"}
)
_ROUTE_NAMES = {
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "cidrBlock": "DestinationCidrBlock",
    "ipv6CidrBlock": "DestinationIpv6CidrBlock",
}


def set_routes(call: Call, table: str, routes: list[Plain]) -> None:
    """Make a table's own routes exactly these (local routes and endpoints' stay)."""
    client = call.client("ec2")
    for route in own_routes(call, table):
        destination = {k: v for k, v in route.items() if k.startswith("Destination")}
        client.delete_route(RouteTableId=table, **destination)
    for route in routes:
        given = {name: value for name, value in route.items() if value}
        client.create_route(RouteTableId=table, **to_aws(client, "create_route", given, _ROUTE_NAMES))


def own_routes(call: Call, table: str) -> list[Plain]:
    """Routes that somebody created: neither local, nor propagated, nor an endpoint's."""
    found = call.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return [
        route
        for route in found
        if route.get("GatewayId") != "local"
        and not str(route.get("GatewayId", "")).startswith("vpce-")
        and route.get("Origin") != "EnableVgwRoutePropagation"
    ]


def _inline(route: Plain) -> Plain:
    names = {"DestinationCidrBlock": "cidrBlock", "DestinationIpv6CidrBlock": "ipv6CidrBlock"}
    names["EgressOnlyInternetGatewayId"] = "egressOnlyGatewayId"
    skipped = {"State", "Origin"}
    return {names.get(k, k[:1].lower() + k[1:]): v for k, v in route.items() if k not in skipped and v}


def _table_facts(call: Call, identity: str, item: Plain) -> Plain:
    return {
        "arn": call.arn("ec2", f"route-table/{identity}"),
        "routes": [_inline(route) for route in own_routes(call, identity)],
        "propagatingVgws": [vgw["GatewayId"] for vgw in item.get("PropagatingVgws", [])],
    }


def _apply_routes(call: Call, identity: str) -> None:
    set_routes(call, identity, call.inputs.get("routes") or [])


def set_propagation(call: Call, identity: str) -> None:
    """Make the table learn from exactly the gateways of the input."""
    client = call.client("ec2")
    found = client.describe_route_tables(RouteTableIds=[identity])["RouteTables"][0].get(
        "PropagatingVgws", []
    )
    now, wanted = {vgw["GatewayId"] for vgw in found}, set(call.inputs.get("propagatingVgws") or [])
    for gateway in now - wanted:
        client.disable_vgw_route_propagation(GatewayId=gateway, RouteTableId=identity)
    for gateway in wanted - now:
        client.enable_vgw_route_propagation(GatewayId=gateway, RouteTableId=identity)


@dataclass(frozen=True, kw_only=True)
class DefaultRouteTable(Spec):
    """Adopts the VPC's own table and strips it; deleting leaves it to the VPC."""

    def make(self, call: Call) -> str:
        """The table named by the input."""
        return str(call.inputs["defaultRouteTableId"])

    def settle(self, call: Call, identity: str) -> None:
        """Only the routes and gateways stated remain."""
        _apply_routes(call, identity)
        set_propagation(call, identity)
        self.retag(call, identity)


@dataclass(frozen=True, kw_only=True)
class Route(Spec):
    """One route; the table and its destination are its identity."""

    def identify(self, call: Call, answer: Plain) -> str:
        """As the provider spells it: a hash of the destination behind the table's id."""
        digest = int(hashlib.sha256(_destination(call).encode()).hexdigest()[:8], 16)
        return f"r-{call.inputs['routeTableId']}{digest}"

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The route with the same destination in its table."""
        wanted = _destination(call)
        tables = the(call, "describe_route_tables", "RouteTables", route_table_id=call.inputs["routeTableId"])
        for route in tables[0]["Routes"] if tables else []:
            found = [v for k, v in route.items() if k.startswith("Destination")]
            if wanted in found:
                return {**_told(route), "RouteTableId": call.inputs["routeTableId"]}
        return None

    def is_dead(self, item: Plain) -> bool:
        """A blackhole is still a route."""
        return False

    def can_change(self, changed: set[str]) -> bool:
        """Another target is a replacement in place."""
        return changed <= _TARGETS

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """ReplaceRoute: the destination never goes dark."""
        client = call.client("ec2")
        client.replace_route(**self.create_params(client, call))

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete by destination."""
        if self.fetch(call, identity) is None:
            return
        names = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
        given = {k[:1].upper() + k[1:]: call.inputs[k] for k in names if call.inputs.get(k)}
        call.client("ec2").delete_route(RouteTableId=call.inputs["routeTableId"], **given)


def _told(route: Plain) -> Plain:
    """AWS tells a firewall's endpoint as a gateway."""
    gateway = str(route.get("GatewayId", ""))
    return {**route, "VpcEndpointId": gateway} if gateway.startswith("vpce-") else route


def _destination(call: Call) -> str:
    names = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
    return str(next(call.inputs[name] for name in names if call.inputs.get(name)))


@dataclass(frozen=True, kw_only=True)
class Association(Spec):
    """A subnet's or gateway's route table."""

    def fetch(self, call: Call, identity: str) -> Plain | None:
        """The association, wherever it is now."""
        name = "association.route-table-association-id"
        found = call.client("ec2").describe_route_tables(Filters=[{"Name": name, "Values": [identity]}])
        for table in found["RouteTables"]:
            for association in table["Associations"]:
                if association["RouteTableAssociationId"] == identity:
                    return dict(association)
        return None


_TABLE_READ: Plain = {
    "service": "ec2",
    "read": "describe_route_tables",
    "by": "RouteTableIds",
    "item": "RouteTables[0]",
    "tag_kind": "route-table",
    "more": _table_facts,
    "after": (Setting(("routes",), _apply_routes), Setting(("propagatingVgws",), set_propagation)),
}

SPECS = (
    Spec(
        type="aws:ec2/routeTable:RouteTable",
        create="create_route_table",
        made="RouteTable.RouteTableId",
        delete="delete_route_table",
        delete_by="RouteTableId",
        **_TABLE_READ,
    ),
    DefaultRouteTable(
        type="aws:ec2/defaultRouteTable:DefaultRouteTable",
        outputs={"defaultRouteTableId": "RouteTableId"},
        **_TABLE_READ,
    ),
    Route(
        type="aws:ec2/route:Route",
        service="ec2",
        create="create_route",
        rename=_ROUTE_NAMES,
        exclusive=True,
        outputs={"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"},
    ),
    Association(
        type="aws:ec2/routeTableAssociation:RouteTableAssociation",
        service="ec2",
        create="associate_route_table",
        made="AssociationId",
        delete="disassociate_route_table",
        delete_by="AssociationId",
        exclusive=True,
    ),
)
