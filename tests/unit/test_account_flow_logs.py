"""Flow logs of the emulated account against AWS's documented answers."""

from __future__ import annotations

from tests.unit.emulated_account import REGION, aws
from twin.program.aws import Clients

__all__ = ["aws"]


def test_a_flow_log_goes_into_a_folder_of_a_bucket(aws: Clients) -> None:
    where = {"LocationConstraint": REGION}
    aws.client("s3").create_bucket(Bucket="unit-delivery", CreateBucketConfiguration=where)
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.90.0.0/16")["Vpc"]["VpcId"]
    asked = {"ResourceIds": [vpc], "ResourceType": "VPC", "TrafficType": "ALL", "LogDestinationType": "s3"}
    wanted = "arn:aws:s3:::unit-delivery/flow-logs/"
    made = ec2.create_flow_logs(**asked, LogDestination=wanted)
    assert made["Unsuccessful"] == []
    (log,) = ec2.describe_flow_logs(FlowLogIds=made["FlowLogIds"])["FlowLogs"]
    assert (log["LogDestination"], log["LogDestinationType"]) == (wanted, "s3")
    missing = ec2.create_flow_logs(**asked, LogDestination="arn:aws:s3:::nobody-made-this/flow-logs/")
    assert missing["FlowLogIds"] == [] and len(missing["Unsuccessful"]) == 1
