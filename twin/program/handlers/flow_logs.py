"""Flow logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.program.handlers.network import refuse_unsuccessful
from twin.program.handlers.spec import Call, Plain, Spec, to_aws


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


SPECS = (
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
)
