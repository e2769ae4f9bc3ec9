"""Peering connections."""

from __future__ import annotations

from dataclasses import dataclass

from twin.program.handlers.spec import Call, Plain, Setting, Spec


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


SPECS = (
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
