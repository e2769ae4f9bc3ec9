"""VPC block public access: the region's mode, and the subnets it spares."""

from __future__ import annotations

from typing import Any

from twin.program.handlers.regional import Switch
from twin.program.handlers.spec import Call, Plain, Setting, Spec

_MODE = "internetGatewayBlockMode"


def _put_mode(call: Call, mode: str) -> None:
    call.client("ec2").modify_vpc_block_public_access_options(InternetGatewayBlockMode=mode)


def _options(call: Call) -> Plain:
    answer = call.client("ec2").describe_vpc_block_public_access_options()
    return dict(answer["VpcBlockPublicAccessOptions"])


def _exclusion_mode(call: Call, identity: str) -> None:
    call.client("ec2").modify_vpc_block_public_access_exclusion(
        ExclusionId=identity, InternetGatewayExclusionMode=call.inputs["internetGatewayExclusionMode"]
    )


def _exclusion_facts(_call: Call, _identity: str, item: Plain) -> Plain:
    kind, _, name = str(item["ResourceArn"]).rpartition(":")[2].partition("/")
    return {"subnetId" if kind == "subnet" else "vpcId": name}


class Exclusion(Spec):
    """Its mode is a parameter of creation that can be changed afterwards."""

    def create_params(self, client: Any, call: Call) -> Plain:
        """With the mode, which `after` would keep back."""
        mode = {"InternetGatewayExclusionMode": call.inputs["internetGatewayExclusionMode"]}
        return super().create_params(client, call) | mode

    def settle(self, call: Call, identity: str) -> None:
        """Everything was in the creation."""


SPECS: tuple[Spec, ...] = (
    Switch(
        type="aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions",
        service="ec2",
        put=lambda call: _put_mode(call, call.inputs[_MODE]),
        get=_options,
        undo=lambda call: _put_mode(call, "off"),
    ),
    Exclusion(
        type="aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion",
        service="ec2",
        create="create_vpc_block_public_access_exclusion",
        made="VpcBlockPublicAccessExclusion.ExclusionId",
        read="describe_vpc_block_public_access_exclusions",
        by="ExclusionIds",
        item="VpcBlockPublicAccessExclusions[0]",
        delete="delete_vpc_block_public_access_exclusion",
        delete_by="ExclusionId",
        tag_kind="vpc-block-public-access-exclusion",
        exclusive=True,
        dead=("delete-in-progress", "delete-complete"),
        after=(Setting(("internetGatewayExclusionMode",), _exclusion_mode),),
        more=_exclusion_facts,
    ),
)
