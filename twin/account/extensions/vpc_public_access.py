"""VPC block public access: one mode for the region, exclusions for subnets and VPCs.

EC2 API reference: ModifyVpcBlockPublicAccessOptions, CreateVpcBlockPublicAccessExclusion and their
Describe, Modify and Delete forms; VpcBlockPublicAccessOptions, VpcBlockPublicAccessExclusion and
BlockPublicAccessStates of a Subnet (`off` for what an exclusion frees both ways).
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.subnets import Subnet
from moto.ec2.responses import EC2Response
from moto.moto_api._internal import mock_random

from twin.account.extensions.placing import place

_MODES = {"off", "block-bidirectional", "block-ingress"}
_EXCLUSION_MODES = {"allow-bidirectional", "allow-egress"}
MOST_EXCLUSIONS = 50  # Amazon VPC quotas: VPC BPA exclusions per account and region

Item = dict[str, Any]


def install() -> None:
    """Add the six operations, and what a subnet says of itself."""
    place(
        EC2Response,
        describe_vpc_block_public_access_options=_describe_options,
        modify_vpc_block_public_access_options=_modify_options,
        create_vpc_block_public_access_exclusion=_create,
        describe_vpc_block_public_access_exclusions=_describe,
        modify_vpc_block_public_access_exclusion=_modify,
        delete_vpc_block_public_access_exclusion=_delete,
    )
    place(Subnet, block_public_access_states=property(_state_of))


def _options(backend: Any) -> Item:
    empty = {
        "AwsAccountId": backend.account_id,
        "AwsRegion": backend.region_name,
        "State": "default-state",
        "InternetGatewayBlockMode": "off",
        "ManagedBy": "account",
        "ExclusionsAllowed": "allowed",
    }
    found: Item = backend.__dict__.setdefault("vpc_public_access", empty)
    return found


def _exclusions(backend: Any) -> dict[str, Item]:
    found: dict[str, Item] = backend.__dict__.setdefault("vpc_public_access_exclusions", {})
    return found


def _checked(value: Any, allowed: set[str], parameter: str) -> str:
    if value not in allowed:
        raise EC2ClientError(
            "InvalidParameterValue", f"Value ({value}) for parameter {parameter} is invalid."
        )
    return str(value)


def _describe_options(self: Any) -> ActionResult:
    return ActionResult({"VpcBlockPublicAccessOptions": _options(self.ec2_backend)})


def _modify_options(self: Any) -> ActionResult:
    name = "InternetGatewayBlockMode"
    found = _options(self.ec2_backend)
    found[name] = _checked(self._get_param(name), _MODES, name)
    found |= {"State": "update-complete", "LastUpdateTimestamp": utcnow()}
    return ActionResult({"VpcBlockPublicAccessOptions": found})


def _arn(backend: Any, subnet: str | None, vpc: str | None) -> str:
    if bool(subnet) == bool(vpc):
        raise EC2ClientError("InvalidParameterCombination", "Specify either SubnetId or VpcId.")
    if subnet:
        backend.get_subnet(subnet)
    else:
        backend.get_vpc(vpc)
    kind = f"subnet/{subnet}" if subnet else f"vpc/{vpc}"
    return f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:{kind}"


def _create(self: Any) -> ActionResult:
    backend, name = self.ec2_backend, "InternetGatewayExclusionMode"
    mode = _checked(self._get_param(name), _EXCLUSION_MODES, name)
    arn, known = _arn(backend, self._get_param("SubnetId"), self._get_param("VpcId")), _exclusions(backend)
    if any(item["ResourceArn"] == arn for item in known.values()):
        raise EC2ClientError("InvalidParameterValue", f"An exclusion of {arn} exists already.")
    if len(known) >= MOST_EXCLUSIONS:
        raise EC2ClientError("VpcBlockPublicAccessExclusionLimitExceeded", "The limit is reached.")
    identity = f"vpcbpa-exclude-{mock_random.get_random_hex(17)}"
    known[identity] = {
        "ExclusionId": identity,
        name: mode,
        "ResourceArn": arn,
        "State": "create-complete",
        "CreationTimestamp": utcnow(),
        "LastUpdateTimestamp": utcnow(),
    }
    tags = self._parse_tag_specification().get("vpc-block-public-access-exclusion", {})
    backend.create_tags([identity], tags)
    return ActionResult({"VpcBlockPublicAccessExclusion": _shown(backend, known[identity])})


def _shown(backend: Any, item: Item) -> Item:
    tags = backend.tags.get(item["ExclusionId"], {})
    return {**item, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def _get(backend: Any, identity: str) -> Item:
    if identity not in _exclusions(backend):
        code = "InvalidVpcBlockPublicAccessExclusionId.NotFound"
        raise EC2ClientError(code, f"The exclusion {identity} does not exist.")
    return _exclusions(backend)[identity]


def _describe(self: Any) -> ActionResult:
    backend = self.ec2_backend
    wanted = self._get_param("ExclusionIds", []) or list(_exclusions(backend))
    found = [_shown(backend, _get(backend, identity)) for identity in wanted]
    return ActionResult({"VpcBlockPublicAccessExclusions": found})


def _modify(self: Any) -> ActionResult:
    item, name = _get(self.ec2_backend, self._get_param("ExclusionId")), "InternetGatewayExclusionMode"
    item[name] = _checked(self._get_param(name), _EXCLUSION_MODES, name)
    item |= {"State": "update-complete", "LastUpdateTimestamp": utcnow()}
    return ActionResult({"VpcBlockPublicAccessExclusion": _shown(self.ec2_backend, item)})


def _delete(self: Any) -> ActionResult:
    backend = self.ec2_backend
    item = _get(backend, self._get_param("ExclusionId"))
    shown = {**_shown(backend, item), "State": "delete-in-progress", "DeletionTimestamp": utcnow()}
    del _exclusions(backend)[item["ExclusionId"]]
    return ActionResult({"VpcBlockPublicAccessExclusion": shown})


def _state_of(subnet: Any) -> Item:
    """The mode that applies to a subnet after its own and its VPC's exclusions."""
    backend = subnet.ec2_backend
    mode = _options(backend)["InternetGatewayBlockMode"]
    ends = (f":subnet/{subnet.id}", f":vpc/{subnet.vpc_id}")
    for item in _exclusions(backend).values():
        if item["ResourceArn"].endswith(ends) and mode != "off":
            egress = item["InternetGatewayExclusionMode"] == "allow-egress"
            mode = "block-ingress" if egress else "off"
    return {"InternetGatewayBlockMode": mode}
