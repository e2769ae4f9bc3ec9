"""VPCs and what stands in them."""

from __future__ import annotations

from verify.account import Account
from verify.discovery.joining import Contract, Finder, Found, join
from verify.subjects import Resource


def _vpcs(account: Account, contract: Contract) -> Found:
    promised = {vpc["id"]: (name, vpc) for name, vpc in contract["vpcs"].items()}
    seen = {vpc["VpcId"]: vpc for vpc in account.need("ec2", "describe_vpcs")["Vpcs"]}
    return join("vpc", promised, seen, "ec2.describe_vpcs")


def _subnets(account: Account, contract: Contract) -> Found:
    promised = {
        subnet["id"]: (f"{vpc_name}/{name}", {**subnet, "vpc": vpc["id"]})
        for vpc_name, vpc in contract["vpcs"].items()
        for name, subnet in vpc["subnets"].items()
    }
    seen = {subnet["SubnetId"]: subnet for subnet in account.need("ec2", "describe_subnets")["Subnets"]}
    return join("subnet", promised, seen, "ec2.describe_subnets")


def _security_groups(account: Account, contract: Contract) -> Found:
    promised = {
        node["security_group"]: (node["role"], {"kind": "role", "name": node["role"]})
        for node in contract["nodes"]
    }
    promised |= {
        ident: (name, {"kind": "load_balancer", "name": name})
        for name, ident in contract.get("load_balancer_groups", {}).items()
    }
    defaults = {vpc["default_security_group"] for vpc in contract["vpcs"].values()}
    groups = account.need("ec2", "describe_security_groups")["SecurityGroups"]
    # The default groups have a control of their own (they belong to their VPC), wherever the VPC came from.
    seen = {
        group["GroupId"]: {**group, "Name": group["GroupName"]}
        for group in groups
        if group["GroupName"] != "default" and group["GroupId"] not in defaults
    }
    return join("security_group", promised, seen, "ec2.describe_security_groups")


def _vpns(account: Account, contract: Contract) -> Found:
    promised = {
        vpn["connection"]: (name, {**vpn, "site": name.split("/")[0]})
        for name, vpn in contract["vpn"].items()
    }
    connections = account.need("ec2", "describe_vpn_connections")["VpnConnections"]
    seen = {vpn["VpnConnectionId"]: vpn for vpn in connections if vpn["State"] != "deleted"}
    return join("vpn", promised, seen, "ec2.describe_vpn_connections")


def _endpoints(account: Account, contract: Contract) -> Found:
    names = {vpc["id"]: name for name, vpc in contract["vpcs"].items()}
    for endpoint in account.need("ec2", "describe_vpc_endpoints")["VpcEndpoints"]:
        if endpoint["State"].lower() in ("deleted", "deleting"):
            continue
        if endpoint["VpcEndpointType"] == "GatewayLoadBalancer":
            continue  # a firewall's: no service behind it and no policy; see kind `firewall`
        service = endpoint["ServiceName"].rsplit(".", 1)[-1]
        kind = endpoint["VpcEndpointType"].lower()
        name = f"{names.get(endpoint['VpcId'], endpoint['VpcId'])}/{service}-{kind}"
        facts = {"id": endpoint["VpcEndpointId"]}
        yield Resource(f"endpoint/{name}", "endpoint", endpoint, "ec2.describe_vpc_endpoints", facts)


def _peerings(account: Account, contract: Contract) -> Found:
    names = {vpc["id"]: name for name, vpc in contract["vpcs"].items()}
    for peering in account.need("ec2", "describe_vpc_peering_connections")["VpcPeeringConnections"]:
        if peering["Status"]["Code"] in ("deleted", "rejected", "failed", "expired"):
            continue
        ends = [peering[side].get("VpcId", "?") for side in ("RequesterVpcInfo", "AccepterVpcInfo")]
        name = "-".join(sorted(names.get(end, end) for end in ends))
        facts = {"id": peering["VpcPeeringConnectionId"]}
        yield Resource(f"peering/{name}", "peering", peering, "ec2.describe_vpc_peering_connections", facts)


KINDS: dict[str, Finder] = {
    "vpc": _vpcs,
    "subnet": _subnets,
    "security_group": _security_groups,
    "vpn": _vpns,
    "endpoint": _endpoints,
    "peering": _peerings,
}
