"""VPC endpoints."""

from __future__ import annotations

from dataclasses import dataclass

from twin.program.handlers.network import refuse_unsuccessful
from twin.program.handlers.spec import Call, Plain, Spec, to_aws


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


def _endpoint_facts(call: Call, identity: str, item: Plain) -> Plain:
    facts: Plain = {"arn": call.arn("ec2", f"vpc-endpoint/{identity}"), "policy": item.get("PolicyDocument")}
    facts["securityGroupIds"] = [group["GroupId"] for group in item.get("Groups", [])]
    if item.get("VpcEndpointType") == "Gateway":
        lists = call.client("ec2").describe_prefix_lists()["PrefixLists"]
        match = [entry for entry in lists if entry["PrefixListName"] == item.get("ServiceName")]
        if match:
            facts |= {"prefixListId": match[0]["PrefixListId"], "cidrBlocks": match[0].get("Cidrs", [])}
    return facts


SPECS = (
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
)
