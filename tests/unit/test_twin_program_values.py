"""Wire values, read-back, state files and translations: the pure parts of the program host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime import rpc

from fault import Fault
from twin.program import handlers, wire
from twin.program.aws import Clients
from twin.program.handlers.acls import number
from twin.program.handlers.spec import Unsupported, camel, tags_of, to_aws, to_pulumi
from twin.program.handlers.vpn import tunnel_options
from twin.program.project import load
from twin.program.readback import covers, differences
from twin.program.removal import _leaves
from twin.program.state import Record, State


# ---------------------------------------------------------------------- wire
def test_values_survive_the_wire_both_ways() -> None:
    values = {
        "text": "a",
        "number": 3,
        "share": 0.5,
        "on": True,
        "list": [1, {"x": ["y"]}],
        "secret": wire.Secret({"deep": ["s"]}),
        "unknown": wire.UNKNOWN,
    }
    assert wire.from_struct(wire.to_struct(values)) == values


def test_an_output_value_is_unwrapped_with_its_secretness() -> None:
    output = {rpc._special_sig_key: rpc._special_output_value_sig, "value": "v", "secret": True}
    unknown = {rpc._special_sig_key: rpc._special_output_value_sig}
    reference = {rpc._special_sig_key: rpc._special_resource_sig, "urn": "urn:x", "id": "vpc-1"}
    struct = wire.to_struct({"a": output, "b": unknown, "c": reference})
    assert wire.from_struct(struct) == {"a": wire.Secret("v"), "b": wire.UNKNOWN, "c": "vpc-1"}


def test_a_sealed_secret_shows_a_change_and_nothing_else() -> None:
    first, again = (wire.seal({"k": wire.Secret("hush")}, "salt") for _ in range(2))
    assert first == again
    assert wire.seal({"k": wire.Secret("other")}, "salt") != first
    assert wire.seal({"k": wire.Secret("hush")}, "another salt") != first
    assert "hush" not in json.dumps(first)


def test_secrets_and_unknowns_are_found_at_any_depth() -> None:
    assert wire.has_unknown({"a": [{"b": wire.Secret([wire.UNKNOWN])}]})
    assert not wire.has_unknown({"a": [{"b": wire.Secret(["known"])}]})
    assert wire.is_secret([{"a": wire.Secret(1)}])
    assert wire.describe({"a": wire.Secret(1), "b": wire.UNKNOWN}) == {"a": wire.HIDDEN, "b": wire.COMPUTED}


def test_every_field_of_a_fault_is_scrubbed() -> None:
    inputs = {"key": wire.Secret({"a": ["hush"]}), "open": "word"}
    failure = wire.scrub(Fault("said hush", "rule hush", "fix hush, word"), inputs)
    assert str(failure) == "said (secret); rule (secret); fix (secret), word"


# ---------------------------------------------------------------------- read-back
@pytest.mark.parametrize(
    ("wanted", "found", "kept"),
    [
        ("a", "a", True),
        ("a", "b", False),
        ("a", None, False),
        ("", None, True),
        (False, None, True),
        (True, None, False),
        (True, "true", True),
        ("true", True, True),
        (365, "365", True),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        (["x", "y"], ["y", "x"], True),
        (["x"], ["x", "y"], False),
        (["x", "x"], ["x", "y"], False),
        ([], None, True),
        ({"a": 1}, {"a": 1, "default": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"a": ""}, None, True),
        ([{"a": 1}], [{"a": 2}], False),
    ],
)
def test_aws_may_add_defaults_but_never_lose_a_value(wanted: Any, found: Any, kept: bool) -> None:
    assert covers(wanted, found) is kept


def test_only_inputs_without_an_api_to_read_them_are_exempt() -> None:
    inputs = {"kept": 1, "lost": 2, "wish": 3, "region": "x"}
    assert differences(inputs, {"kept": 1}, frozenset({"wish"})) == {"lost"}


# ---------------------------------------------------------------------- translation
@pytest.mark.parametrize(
    ("api", "own"),
    [
        ("CidrBlock", "cidrBlock"),
        ("KMSMasterKeyID", "kmsMasterKeyId"),
        ("SSEAlgorithm", "sseAlgorithm"),
        ("ID", "id"),
        ("Arn", "arn"),
    ],
)
def test_names_of_the_api_become_names_of_the_sdk(api: str, own: str) -> None:
    assert camel(api) == own
    assert to_pulumi({api: 1}) == {own: 1}


def ec2() -> Any:
    return Clients("http://localhost:1", "111122223333", "eu-central-1", ("a", "b")).client("ec2")


def test_inputs_take_the_types_of_the_operation() -> None:
    given = {
        "launchTemplateName": "x",
        "launchTemplateData": {
            "ebsOptimized": "true",
            "blockDeviceMappings": [{"ebs": {"volumeSize": 40.0, "encrypted": "true"}}],
            "tagSpecifications": [{"resourceType": "volume", "tags": {"b": "2", "a": "1"}}],
        },
    }
    data = to_aws(ec2(), "create_launch_template", given, {})["LaunchTemplateData"]
    assert data["EbsOptimized"] is True
    assert data["BlockDeviceMappings"] == [{"Ebs": {"VolumeSize": 40, "Encrypted": True}}]
    assert data["TagSpecifications"][0]["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]


def test_an_input_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(Unsupported, match="cidrBlok"):
        to_aws(ec2(), "create_vpc", {"cidrBlok": "10.0.0.0/16"}, {})


def test_tags_of_aws_itself_are_not_ours() -> None:
    listed = [{"Key": "aws:ec2launchtemplate:id", "Value": "lt-1"}, {"Key": "Name", "Value": "n"}]
    assert tags_of({"Tags": listed}) == {"Name": "n"}


def test_tunnel_inputs_are_sorted_into_their_tunnels() -> None:
    inputs = {"tunnel1PresharedKey": "a", "tunnel2DpdTimeoutAction": "restart", "type": "ipsec.1"}
    assert tunnel_options(inputs) == [{"PreSharedKey": "a"}, {"dpdTimeoutAction": "restart"}]


def test_protocols_are_numbers_as_ec2_says_them() -> None:
    assert [number(word) for word in ("tcp", "UDP", "-1", "all", 6)] == ["6", "17", "-1", "-1", "6"]


def test_every_handler_says_how_it_makes_and_reads() -> None:
    assert len(handlers.types()) >= 50
    for kind in handlers.types():
        spec = handlers.find(kind)
        assert spec is not None
        assert spec.type == kind
        assert spec.service


# ---------------------------------------------------------------------- state
def record(urn: str, **facts: Any) -> Record:
    return Record(urn, "aws:ec2/vpc:Vpc", "n", True, **facts)


def test_the_state_is_whole_after_any_line_of_the_journal(tmp_path: Path) -> None:
    state = State(tmp_path, "life")
    state.save()
    state.put(record("urn:a", pending="token"))
    state.put(record("urn:a", id="vpc-1"))
    state.condemn(record("urn:a", id="vpc-0"))
    state.put(record("urn:b", id="vpc-2"))
    state.remove("urn:b")
    lines = (tmp_path / "state.journal.jsonl").read_text().splitlines()
    for kept in range(len(lines) + 1):
        (tmp_path / "state.journal.jsonl").write_text("\n".join(lines[:kept]) + "\n" + '{"torn')
        State.load(tmp_path, "life")
    loaded, remark = State.load(tmp_path, "life")
    assert (set(loaded.records), set(loaded.condemned), remark) == ({"urn:a"}, {"urn:a#vpc-0"}, "")
    loaded.save()
    assert not (tmp_path / "state.journal.jsonl").exists()
    again, _ = State.load(tmp_path, "life")
    assert again.records["urn:a"].id == "vpc-1"
    assert (tmp_path / "state.json").stat().st_mode & 0o077 == 0


def test_a_state_file_of_somebody_else_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"version": 3}')
    with pytest.raises(Fault, match="not a state file of this version"):
        State.load(tmp_path, "life")


def test_what_depends_on_others_goes_first() -> None:
    left = {
        "vpc": record("vpc", provider="prov::id"),
        "subnet": record("subnet", dependencies=["vpc"]),
        "child": record("child", parent="subnet"),
        "prov": record("prov"),
    }
    order = []
    while left:
        wave = _leaves(left)
        order.append(sorted(wave))
        for key in wave:
            del left[key]
    assert order == [["child"], ["subnet"], ["vpc"], ["prov"]]


def test_a_project_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("runtime: python\n")
    (tmp_path / "Pulumi.s.yaml").write_text("{}\n")
    with pytest.raises(Fault, match="no name"):
        load(tmp_path, "s")


def test_declared_defaults_are_configuration_and_the_stack_overrides_them(tmp_path: Path) -> None:
    declared = "name: p\nconfig:\n  p:a: {type: string, default: x}\n  b: {value: 2}\n  p:c: {type: string}\n"
    (tmp_path / "Pulumi.yaml").write_text(declared)
    (tmp_path / "Pulumi.s.yaml").write_text("config: {p:a: y}\n")
    assert load(tmp_path, "s").config == {"p:a": "y", "p:b": "2"}
