"""The trail and the detection services as the program plans them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

import controls
import settings
from detection.recorded import selectors
from detection.recorder import managed_rules
from detection.services import lists
from detection.threats import FEATURES, MOST_TRUSTED
from fault import Fault
from storage.names import class_bucket
from tests.infra.monitor import ROOT, run_of

STACKS = ("in-mumbai", "eu-frankfurt", "in-hyderabad")
TODAY = date(2026, 11, 22)
TRAIL = "aws:cloudtrail/trail:Trail"
THREATS = "aws:guardduty/threatIntelSet:ThreatIntelSet"
OBJECT = "aws:s3/bucketObjectv2:BucketObjectv2"


@pytest.mark.parametrize("stack", STACKS)
def test_each_bucket_of_a_critical_class_is_recorded_and_no_other_class(stack: str) -> None:
    config = settings.load(stack, ROOT)
    critical = [name for name, kept in config.data_classes.items() if kept.critical]
    _, objects, archive = selectors(stack, config.account, critical)
    prefixes = objects.fields["resources.ARN"]["starts_with"]

    def recorded(bucket: str) -> bool:
        return any(f"arn:aws:s3:::{bucket}/x".startswith(prefix) for prefix in prefixes)

    for name in critical:
        assert recorded(class_bucket(stack, config.account, name))
        assert all(
            recorded(class_bucket(stack, config.account, name, who)) for who in (*config.customers, "new")
        )
    assert not recorded(class_bucket(stack, config.account, "unimportant"))
    # Replication writes each object of the archive once; whoever does anything else there is recorded.
    assert archive.fields["eventName"] == {"not_equals": ("PutObject", "PutObjectTagging")}


def test_the_selectors_do_not_grow_with_customers() -> None:
    run = run_of("in-mumbai")
    (trail,) = run.of(TRAIL).values()
    assert len(trail["inputs"]["advancedEventSelectors"]) == 3
    assert "acme" not in json.dumps(trail["inputs"])


def test_the_trails_role_writes_its_own_streams_and_nothing_else() -> None:
    run = run_of("in-mumbai")
    policy = json.loads(run.of("aws:iam/rolePolicy:RolePolicy")["trail"]["inputs"]["policy"])
    (statement,) = policy["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    (resource,) = statement["Resource"]
    assert resource.endswith(
        ":log-group:/stockade/in-mumbai/trail:log-stream:111122223333_CloudTrail_ap-south-1*"
    )
    role = run.of("aws:iam/role:Role")["trail"]["inputs"]
    (trusted,) = json.loads(role["assumeRolePolicy"])["Statement"]
    arn = "arn:aws:cloudtrail:ap-south-1:111122223333:trail/stockade-in-mumbai"
    assert trusted["Condition"]["ArnLike"] == {"aws:SourceArn": arn}
    assert "permissionsBoundary" in role


@pytest.mark.parametrize("stack", STACKS)
def test_every_plan_and_agent_of_guardduty_is_on(stack: str) -> None:
    made = run_of(stack).of("aws:guardduty/detectorFeature:DetectorFeature")
    assert {one["inputs"]["name"] for one in made.values()} == set(FEATURES)
    assert {one["inputs"]["status"] for one in made.values()} == {"ENABLED"}


def test_a_list_that_changed_lies_under_another_name_and_the_old_one_stays() -> None:
    config = settings.load("in-mumbai", ROOT)
    today, later = lists(config, TODAY), lists(config, date(2027, 3, 1))
    assert today["threat"].key != later["threat"].key
    assert today["trusted"] == later["trusted"]
    made = run_of("in-mumbai").of(OBJECT)
    assert set(made) == {"threat-list", "trusted-list"}
    assert {one["inputs"]["serverSideEncryption"] for one in made.values()} == {"AES256"}


def test_when_all_indicators_have_ended_there_is_no_threat_list() -> None:
    config = settings.load("in-mumbai", ROOT)
    assert set(lists(config, date(2040, 1, 1))) == {"trusted"}
    assert run_of("eu-frankfurt").of(THREATS) == {}


def test_more_trusted_ranges_than_guardduty_takes_are_one_line() -> None:
    config = settings.load("in-mumbai", ROOT)
    ranges = tuple(f"203.0.{n // 256}.{n % 256}/32" for n in range(MOST_TRUSTED + 1))
    access = config.access.model_dump(mode="json", by_alias=True) | {"trusted_ranges": {"noc": ranges}}
    many = config.model_copy(update={"access": type(config.access).model_validate(access)})
    with pytest.raises(Fault, match="2001 ranges"):
        lists(many, TODAY)


@pytest.mark.parametrize("stack", STACKS)
def test_config_rules_watch_controls_that_exist_with_values_of_the_stack(stack: str) -> None:
    known = controls.load(ROOT)
    config = settings.load(stack, ROOT)
    rules = {rule.name: rule for rule in managed_rules(config)}
    assert [name for name, rule in rules.items() if rule.watches not in known] == []
    assert rules["images-pinned"].parameters["amiIds"].startswith("ami-")
    # A region that nobody reaches from everywhere states no port, and an empty parameter is none for AWS.
    open_to_all = {str(rule.port) for rule in config.firewall if "internet" in rule.from_}
    said = rules["open-ports-intended"].parameters.get("authorizedTcpPorts")
    assert set(said.split(",") if said else ()) == open_to_all
    assert all(value for rule in rules.values() for value in rule.parameters.values())
    assert not any("{" in value for rule in rules.values() for value in rule.parameters.values())


def test_config_records_before_standards_judge() -> None:
    run = run_of("in-mumbai")
    status = run.of("aws:cfg/recorderStatus:RecorderStatus")["config"]["urn"]
    for registered in run.registered:
        if registered.planned["type"] == "aws:securityhub/standardsSubscription:StandardsSubscription":
            assert status in registered.dependencies


def test_the_rules_of_config_say_why() -> None:
    text = Path(ROOT / "detection/rules.yaml").read_text(encoding="utf-8")
    assert (
        text.count("  why: ")
        == text.count("  rule: ")
        == len(managed_rules(settings.load("in-mumbai", ROOT)))
    )
