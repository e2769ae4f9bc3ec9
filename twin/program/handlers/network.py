"""VPCs, subnets, routing, endpoints, peering, flow logs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

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


def the(call: Call, operation: str, key: str, **filters: str) -> list[Plain]:
    """EC2 objects by filters, e.g. `the(call, "describe_network_acls", "NetworkAcls", vpc_id=…)`."""
    wanted = [{"Name": name.replace("_", "-"), "Values": [value]} for name, value in filters.items()]
    found: list[Plain] = getattr(call.client("ec2"), operation)(Filters=wanted)[key]
    return found


# ---------------------------------------------------------------------- VPC and subnet
def _vpc_attribute(name: str) -> Setting:
    def apply(call: Call, identity: str) -> None:
        parameter = name[:1].upper() + name[1:]
        value = {"Value": bool(call.inputs[name])}
        call.client("ec2").modify_vpc_attribute(VpcId=identity, **{parameter: value})

    return Setting((name,), apply)


def _vpc_facts(call: Call, identity: str, _item: Plain) -> Plain:
    client, facts = call.client("ec2"), Plain()
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = client.describe_vpc_attribute(VpcId=identity, Attribute=name)
        facts[name] = answer[name[:1].upper() + name[1:]]["Value"]
    main = the(call, "describe_route_tables", "RouteTables", vpc_id=identity)
    mains = [t for t in main if any(a.get("Main") for a in t["Associations"])]
    if mains:
        facts["mainRouteTableId"] = facts["defaultRouteTableId"] = mains[0]["RouteTableId"]
    acls = [a for a in the(call, "describe_network_acls", "NetworkAcls", vpc_id=identity) if a["IsDefault"]]
    facts["defaultNetworkAclId"] = acls[0]["NetworkAclId"] if acls else None
    groups = the(call, "describe_security_groups", "SecurityGroups", vpc_id=identity, group_name="default")
    facts["defaultSecurityGroupId"] = groups[0]["GroupId"] if groups else None
    facts["arn"] = call.arn("ec2", f"vpc/{identity}")
    return facts


def _subnet_attribute(name: str) -> Setting:
    def apply(call: Call, identity: str) -> None:
        parameter = name[:1].upper() + name[1:]
        value = {"Value": bool(call.inputs[name])}
        call.client("ec2").modify_subnet_attribute(SubnetId=identity, **{parameter: value})

    return Setting((name,), apply)


# ---------------------------------------------------------------------- route tables
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
                return {**route, "RouteTableId": call.inputs["routeTableId"]}
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


# ---------------------------------------------------------------------- endpoints
@dataclass(frozen=True, kw_only=True)
class Endpoint(Spec):
    """Gateway and interface endpoints."""

    def can_change(self, changed: set[str]) -> bool:
        """What ModifyVpcEndpoint takes."""
        return changed <= {
            "policy",
            "routeTableIds",
            "subnetIds",
            "securityGroupIds",
            "privateDnsEnabled",
        } | {
            "dnsOptions",
            "tags",
            "tagsAll",
        }

    def change(self, call: Call, identity: str, changed: set[str]) -> None:
        """Add and remove what differs."""
        client, parameters = call.client("ec2"), Plain()
        now = self.look(call, identity) or {}
        words = {
            "routeTableIds": "RouteTableIds",
            "subnetIds": "SubnetIds",
            "securityGroupIds": "SecurityGroupIds",
        }
        for name, word in words.items():
            if name in changed:
                before, after = set(now.get(name) or []), set(call.inputs.get(name) or [])
                parameters |= {f"Add{word}": sorted(after - before), f"Remove{word}": sorted(before - after)}
        if "policy" in changed:
            parameters["PolicyDocument"] = call.inputs.get("policy") or ""
        if "privateDnsEnabled" in changed:
            parameters["PrivateDnsEnabled"] = bool(call.inputs.get("privateDnsEnabled"))
        if "dnsOptions" in changed:
            given = {"dnsOptions": call.inputs.get("dnsOptions") or {}}
            parameters |= to_aws(client, "modify_vpc_endpoint", given, {})
        parameters = {k: v for k, v in parameters.items() if v != []}
        if parameters:
            client.modify_vpc_endpoint(VpcEndpointId=identity, **parameters)
        if changed & {"tags", "tagsAll"}:
            self.retag(call, identity)

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete; the operation reports failures inside a good answer."""
        answer = call.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[identity])
        refuse_unsuccessful(answer)


def refuse_unsuccessful(answer: Plain) -> None:
    """EC2's list operations say "200" and put errors into the answer."""
    for item in answer.get("Unsuccessful", []):
        error = item.get("Error", {})
        if "NotFound" not in str(error.get("Code")):
            raise RuntimeError(f"{item.get('ResourceId')}: {error.get('Code')}: {error.get('Message')}")


def _endpoint_facts(call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": call.arn("ec2", f"vpc-endpoint/{identity}"), "policy": item.get("PolicyDocument")}
    facts["securityGroupIds"] = [group["GroupId"] for group in item.get("Groups", [])]
    if item.get("VpcEndpointType") == "Gateway":
        lists = call.client("ec2").describe_prefix_lists()["PrefixLists"]
        match = [entry for entry in lists if entry["PrefixListName"] == item.get("ServiceName")]
        if match:
            facts |= {"prefixListId": match[0]["PrefixListId"], "cidrBlocks": match[0].get("Cidrs", [])}
    return facts


# ---------------------------------------------------------------------- flow logs, peering
@dataclass(frozen=True, kw_only=True)
class FlowLog(Spec):
    """Flow logs of a VPC, subnet or interface."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """The resource's kind follows from which input names it."""
        kinds = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface"}
        name = next(key for key in kinds if call.inputs.get(key))
        rest = {k: v for k, v in call.inputs.items() if k not in {name, *self.known_inputs}}
        parameters = to_aws(client, self.create, rest, self.rename)
        parameters |= {"ResourceIds": [call.inputs[name]], "ResourceType": kinds[name]}
        if call.tags:
            tags = [{"Key": k, "Value": v} for k, v in call.tags.items()]
            parameters["TagSpecifications"] = [{"ResourceType": self.tag_kind, "Tags": tags}]
        return parameters

    def identify(self, call: Call, answer: Plain) -> str:
        """The one id, or the error inside the good answer."""
        refuse_unsuccessful(answer)
        return str(answer["FlowLogIds"][0])

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Delete by list."""
        refuse_unsuccessful(call.client("ec2").delete_flow_logs(FlowLogIds=[identity]))


def _flow_log_facts(call: Call, identity: str, item: Plain) -> Plain:
    kind = {"vpc": "vpcId", "sub": "subnetId", "eni": "eniId"}[item["ResourceId"][:3]]
    return {"arn": call.arn("ec2", f"vpc-flow-log/{identity}"), kind: item["ResourceId"]}


def _accept(call: Call, identity: str) -> None:
    if call.inputs.get("autoAccept"):
        call.client("ec2").accept_vpc_peering_connection(VpcPeeringConnectionId=identity)


def _peering_options(call: Call, identity: str) -> None:
    parameters = {}
    for side, word in (("accepter", "Accepter"), ("requester", "Requester")):
        if side in call.inputs:
            allow = bool((call.inputs[side] or {}).get("allowRemoteVpcDnsResolution"))
            parameters[f"{word}PeeringConnectionOptions"] = {"AllowDnsResolutionFromRemoteVpc": allow}
    call.client("ec2").modify_vpc_peering_connection_options(VpcPeeringConnectionId=identity, **parameters)


def _peering_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    facts: Plain = {"acceptStatus": item["Status"]["Code"], "autoAccept": item["Status"]["Code"] == "active"}
    for side, word in (("accepter", "AccepterVpcInfo"), ("requester", "RequesterVpcInfo")):
        options = item.get(word, {}).get("PeeringOptions") or {}
        allow = bool(options.get("AllowDnsResolutionFromRemoteVpc"))
        facts[side] = {"allowRemoteVpcDnsResolution": allow}
    return facts


@dataclass(frozen=True, kw_only=True)
class Peering(Spec):
    """A peering's state is called Status."""

    def is_dead(self, item: Plain) -> bool:
        """Gone, refused or never accepted in time."""
        return item["Status"]["Code"] in {"deleted", "deleting", "rejected", "expired", "failed"}


@dataclass(frozen=True, kw_only=True)
class PeeringOptions(Peering):
    """Options of a connection that another resource made; deleting puts AWS's defaults back."""

    def make(self, call: Call) -> str:
        """The connection's own id."""
        return str(call.inputs["vpcPeeringConnectionId"])

    def drop(self, call: Call, identity: str, outputs: Plain) -> None:
        """Nothing is left to delete: the options end with the connection."""


_PEERING: Plain = {
    "service": "ec2",
    "read": "describe_vpc_peering_connections",
    "by": "VpcPeeringConnectionIds",
    "item": "VpcPeeringConnections[0]",
    "outputs": {
        "vpcId": "RequesterVpcInfo.VpcId",
        "peerVpcId": "AccepterVpcInfo.VpcId",
        "peerOwnerId": "AccepterVpcInfo.OwnerId",
        "peerRegion": "AccepterVpcInfo.Region",
    },
    "more": _peering_facts,
}
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
        type="aws:ec2/vpc:Vpc",
        service="ec2",
        create="create_vpc",
        made="Vpc.VpcId",
        read="describe_vpcs",
        by="VpcIds",
        item="Vpcs[0]",
        delete="delete_vpc",
        delete_by="VpcId",
        tag_kind="vpc",
        rename={"assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock"},
        after=(_vpc_attribute("enableDnsSupport"), _vpc_attribute("enableDnsHostnames")),
        more=_vpc_facts,
    ),
    Spec(
        type="aws:ec2/subnet:Subnet",
        service="ec2",
        create="create_subnet",
        made="Subnet.SubnetId",
        read="describe_subnets",
        by="SubnetIds",
        item="Subnets[0]",
        delete="delete_subnet",
        delete_by="SubnetId",
        tag_kind="subnet",
        outputs={"arn": "SubnetArn"},
        after=(_subnet_attribute("mapPublicIpOnLaunch"), _subnet_attribute("assignIpv6AddressOnCreation")),
    ),
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
    Endpoint(
        type="aws:ec2/vpcEndpoint:VpcEndpoint",
        service="ec2",
        create="create_vpc_endpoint",
        made="VpcEndpoint.VpcEndpointId",
        read="describe_vpc_endpoints",
        by="VpcEndpointIds",
        item="VpcEndpoints[0]",
        tag_kind="vpc-endpoint",
        rename={"policy": "PolicyDocument"},
        more=_endpoint_facts,
    ),
    FlowLog(
        type="aws:ec2/flowLog:FlowLog",
        service="ec2",
        create="create_flow_logs",
        read="describe_flow_logs",
        by="FlowLogIds",
        item="FlowLogs[0]",
        tag_kind="vpc-flow-log",
        rename={"iamRoleArn": "DeliverLogsPermissionArn"},
        outputs={"iamRoleArn": "DeliverLogsPermissionArn"},
        more=_flow_log_facts,
    ),
    Peering(
        type="aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        create="create_vpc_peering_connection",
        made="VpcPeeringConnection.VpcPeeringConnectionId",
        delete="delete_vpc_peering_connection",
        delete_by="VpcPeeringConnectionId",
        tag_kind="vpc-peering-connection",
        after=(Setting(("autoAccept",), _accept), Setting(("accepter", "requester"), _peering_options)),
        **_PEERING,
    ),
    PeeringOptions(
        type="aws:ec2/peeringConnectionOptions:PeeringConnectionOptions",
        after=(Setting(("accepter", "requester"), _peering_options),),
        **_PEERING,
    ),
)
