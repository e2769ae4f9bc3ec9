"""The program host against a real emulated account: small programs, real SDK, real process."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from fault import WRONG_USE, Fault
from tests.e2e.program_sample import ACCOUNT, STACK, Project, clients, emulated, project, steps
from twin import program
from twin.program import handlers, wire
from twin.program.state import Record, State, locked

__all__ = ["emulated", "project"]

VPC = """
named = {{"Name": "{name}"}}
vpc = aws.ec2.Vpc("net", cidr_block="{cidr}", enable_dns_hostnames={dns}, tags=named, opts=mine)
pulumi.export("vpc", vpc.id)
pulumi.export("cidr", vpc.cidr_block)
"""


def vpc(name: str, cidr: str = "10.9.0.0/16", dns: bool = True) -> str:
    return VPC.format(name=name, cidr=cidr, dns=dns)


def named(project: Project, name: str) -> list[dict[str, Any]]:
    return list(project.ec2().describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [name]}])["Vpcs"])


def test_up_makes_what_the_program_says_and_a_second_up_changes_nothing(project: Project) -> None:
    first = project.run("up", vpc("twice"))
    assert steps(first)["net"] == "create"
    assert first.outputs == {"vpc": named(project, "twice")[0]["VpcId"], "cidr": "10.9.0.0/16"}
    second = project.run()
    assert second.changes == 0
    assert second.counts() == {"same": 3}
    assert second.outputs == first.outputs
    assert len(named(project, "twice")) == 1


def test_default_tags_of_the_provider_reach_the_resource(project: Project) -> None:
    project.run("up", vpc("tagged"))
    tags = {tag["Key"]: tag["Value"] for tag in named(project, "tagged")[0]["Tags"]}
    assert tags == {"Name": "tagged", "owner": "tests"}


def test_a_preview_knows_inputs_but_no_id_and_creates_nothing(project: Project) -> None:
    seen = vpc("previewed") + 'pulumi.export("word", vpc.id.apply(lambda i: "never run in a preview"))\n'
    run = project.run("preview", seen)
    assert run.outputs == {"vpc": wire.COMPUTED, "cidr": "10.9.0.0/16", "word": wire.COMPUTED}
    assert steps(run)["net"] == "create"
    assert named(project, "previewed") == []
    assert not (project.folder / "state.json").exists()


def test_a_preview_needs_no_account(project: Project) -> None:
    project.write(vpc("no-account"))
    run = program.run(STACK, None, "preview", root=project.root)
    assert [item["name"] for item in run.planned] == ["aws", "net"]
    planned = run.planned[1]
    assert planned["inputs"]["cidrBlock"] == "10.9.0.0/16"
    assert planned["inputs"]["tagsAll"] == {"Name": "no-account", "owner": "tests"}
    assert planned["provider"].startswith("urn:pulumi:small::sample::pulumi:providers:aws::aws::")


def test_a_preview_after_up_keeps_what_is_known_and_names_the_change(project: Project) -> None:
    up = project.run("up", vpc("kept"))
    run = project.run("preview", vpc("kept", dns=False))
    assert steps(run)["net"] == "update"
    assert run.outputs["vpc"] == up.outputs["vpc"]
    assert steps(project.run("preview", vpc("kept", cidr="10.8.0.0/16")))["net"] == "replace"
    assert project.run("up", vpc("kept")).changes == 0


def test_changes_are_made_in_place_where_aws_can_and_by_replacement_where_it_cannot(project: Project) -> None:
    first = project.run("up", vpc("changing")).outputs["vpc"]
    updated = project.run("up", vpc("changing", dns=False))
    assert (steps(updated)["net"], updated.outputs["vpc"]) == ("update", first)
    answer = project.ec2().describe_vpc_attribute(VpcId=first, Attribute="enableDnsHostnames")
    assert answer["EnableDnsHostnames"]["Value"] is False
    replaced = project.run("up", vpc("changing", dns=False, cidr="10.7.0.0/16"))
    assert steps(replaced)["net"] == "replace"
    assert [found["VpcId"] for found in named(project, "changing")] == [replaced.outputs["vpc"]]


def test_tags_are_made_exactly_those_of_the_program(project: Project) -> None:
    project.run("up", vpc("before"))
    assert steps(project.run("up", vpc("after")))["net"] == "update"
    assert named(project, "before") == []
    assert len(named(project, "after")) == 1


def test_what_leaves_the_program_is_deleted(project: Project) -> None:
    project.run("up", vpc("leaving"))
    assert steps(project.run("up", ""))["net"] == "delete"
    assert named(project, "leaving") == []


def test_a_protected_resource_is_not_deleted_by_leaving_it_out(project: Project) -> None:
    guarded = 'vpc = aws.ec2.Vpc("net", cidr_block="10.9.0.0/16", tags={"Name": "guarded"}, '
    guarded += "opts=pulumi.ResourceOptions(provider=provider, protect=True))\n"
    project.run("up", guarded)
    with pytest.raises(Fault, match="protected") as caught:
        project.run("up", "")
    assert caught.value.code == WRONG_USE
    assert len(named(project, "guarded")) == 1
    project.run("down")
    assert named(project, "guarded") == []


def test_what_somebody_deleted_is_made_again(project: Project) -> None:
    old = project.run("up", vpc("vanishing")).outputs["vpc"]
    project.ec2().delete_vpc(VpcId=old)
    run = project.run()
    assert steps(run)["net"] == "create"
    assert [found["VpcId"] for found in named(project, "vanishing")] == [run.outputs["vpc"]]


def test_what_somebody_changed_by_hand_is_put_back(project: Project) -> None:
    made = project.run("up", vpc("drifting")).outputs["vpc"]
    project.ec2().modify_vpc_attribute(VpcId=made, EnableDnsHostnames={"Value": False})
    assert steps(project.run())["net"] == "update"
    answer = project.ec2().describe_vpc_attribute(VpcId=made, Attribute="enableDnsHostnames")
    assert answer["EnableDnsHostnames"]["Value"] is True


def test_down_deletes_dependents_first_and_leaves_nothing(project: Project) -> None:
    before = {found["VpcId"] for found in project.ec2().describe_vpcs()["Vpcs"]}
    project.run(
        "up",
        """
        vpc = aws.ec2.Vpc("net", cidr_block="10.9.0.0/16", opts=mine)
        subnet = aws.ec2.Subnet("sub", vpc_id=vpc.id, cidr_block="10.9.1.0/24", opts=mine)
        gateway = aws.ec2.InternetGateway("out", vpc_id=vpc.id, opts=mine)
        table = aws.ec2.RouteTable("table", vpc_id=vpc.id, opts=mine)
        aws.ec2.Route("any", route_table_id=table.id, destination_cidr_block="0.0.0.0/0",
                      gateway_id=gateway.id, opts=mine)
        aws.ec2.RouteTableAssociation("sub", route_table_id=table.id, subnet_id=subnet.id, opts=mine)
        """,
    )
    run = project.run("down")
    order = [step.urn.rpartition("::")[2] for step in run.steps]
    assert order.index("any") < order.index("table") < order.index("net")
    assert {found["VpcId"] for found in project.ec2().describe_vpcs()["Vpcs"]} == before
    assert not (project.folder / "state.json").exists()


def test_children_carry_the_chain_of_their_parents_types(project: Project) -> None:
    run = project.run(
        "up",
        """
        class Inner(pulumi.ComponentResource):
            def __init__(self, name, opts=None):
                super().__init__("sample:x:Inner", name, {}, opts)
                aws.ec2.Vpc("net", cidr_block="10.9.0.0/16", opts=pulumi.ResourceOptions(parent=self))
                self.register_outputs({})

        class Outer(pulumi.ComponentResource):
            def __init__(self, name, opts=None):
                super().__init__("sample:x:Outer", name, {}, opts)
                Inner("in", pulumi.ResourceOptions(parent=self))
                self.register_outputs({})

        Outer("out", pulumi.ResourceOptions(providers=[provider]))
        """,
    )
    urns = [step.urn for step in run.steps]
    assert "urn:pulumi:small::sample::sample:x:Outer$sample:x:Inner$aws:ec2/vpc:Vpc::net" in urns
    assert project.state()["net"]["parent"].endswith("sample:x:Outer$sample:x:Inner::in")


# ---------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('for _ in "ab": aws.ec2.Vpc("net", cidr_block="10.9.0.0/16", opts=mine)', "registered twice"),
        (
            'aws.rds.Instance("db", instance_class="db.t3.micro", opts=mine)',
            "type aws:rds/instance:Instance has no handler",
        ),
        ('aws.ec2.Vpc("net", cidr_block="10.9.0.0/16")', "no explicit provider"),
        ("aws.get_caller_identity()", "invoke aws:index/getCallerIdentity:getCallerIdentity: no explicit"),
        ("aws.ec2.get_vpcs(opts=pulumi.InvokeOptions(provider=provider))", "invoke aws:ec2/getVpcs:getVpcs"),
        (
            'aws.ec2.Vpc("n", cidr_block="9.0.0.0/16", enable_network_address_usage_metrics=True, opts=mine)',
            "input enableNetworkAddressUsageMetrics is not supported",
        ),
        ('raise ValueError("the program itself is wrong")', "the program itself is wrong"),
    ],
)
def test_what_would_prove_nothing_is_refused(project: Project, body: str, said: str) -> None:
    with pytest.raises(Fault) as caught:
        project.run("up", body)
    assert said in caught.value.problem
    assert caught.value.code == WRONG_USE
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ('region="eu-central-1", allowed_account_ids=["999999999999"]', f"belong to account {ACCOUNT}"),
        ('region="eu-central-1"', "no allowed_account_ids"),
        (f'allowed_account_ids=["{ACCOUNT}"]', "no region"),
        (
            f'region="eu-central-1", allowed_account_ids=["{ACCOUNT}"], insecure=True',
            "provider settings insecure",
        ),
    ],
)
def test_a_provider_is_pinned_to_region_and_account(project: Project, provider: str, said: str) -> None:
    project.write(f"import pulumi_aws as aws\naws.Provider('aws', {provider})\n", prelude="")
    with pytest.raises(Fault) as caught:
        project.run()
    assert said in caught.value.problem


def test_look_ups_of_the_table_answer_through_the_explicit_provider(project: Project) -> None:
    run = project.run(
        "up",
        """
        way = pulumi.InvokeOptions(provider=provider)
        pulumi.export("account", aws.get_caller_identity(opts=way).account_id)
        pulumi.export("region", aws.get_region(opts=way).region)
        pulumi.export("zones", aws.get_availability_zones(opts=way).names)
        """,
    )
    zones = ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    assert run.outputs == {"account": ACCOUNT, "region": "eu-central-1", "zones": zones}


def test_a_missing_stack_file_is_one_clear_line(project: Project) -> None:
    with pytest.raises(Fault, match=r"Pulumi.other.yaml: not found.*stacks here: small"):
        program.run("other", project.account, "up", root=project.root)


def test_an_encrypted_value_in_the_stack_file_is_refused(project: Project) -> None:
    (project.root / f"Pulumi.{STACK}.yaml").write_text("config: {sample:token: {secure: v1:abc}}\n")
    with pytest.raises(Fault, match="sample:token is encrypted"):
        project.run("up", "")


def test_configuration_reaches_the_program(project: Project) -> None:
    (project.root / f"Pulumi.{STACK}.yaml").write_text("config: {sample:n: {a: [1, 2]}, other:on: true}\n")
    body = 'pulumi.export("n", pulumi.Config().require_object("n"))\n'
    body += 'pulumi.export("on", pulumi.Config("other").require_bool("on"))\n'
    assert project.run("up", body).outputs == {"n": {"a": [1, 2]}, "on": True}


# ---------------------------------------------------------------------- failures lose nothing
FAILING = """
vpc = aws.ec2.Vpc("net", cidr_block="10.9.0.0/16", tags={{"Name": "{name}"}}, opts=mine)
aws.ec2.Subnet("bad", vpc_id=vpc.id, cidr_block="{cidr}", opts=mine)
"""


def test_a_failure_names_the_resource_and_what_aws_said_and_loses_nothing(project: Project) -> None:
    with pytest.raises(Fault) as caught:
        project.run("up", FAILING.format(name="half", cidr="192.168.0.0/24"))
    assert "aws:ec2/subnet:Subnet::bad: create failed" in caught.value.problem
    assert "InvalidSubnet.Range" in caught.value.rule
    made = named(project, "half")[0]["VpcId"]
    assert project.state()["net"]["id"] == made
    assert steps(project.run("up", FAILING.format(name="half", cidr="10.9.1.0/24"))) | {"bad": ""} == {
        "sample-small": "same",
        "aws": "same",
        "net": "same",
        "bad": "",
    }
    project.run("down")


def test_an_input_that_the_account_does_not_give_back_is_a_failure(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = handlers.find("aws:ec2/vpc:Vpc")
    assert spec is not None
    forgetful = replace(spec, more=None)  # reads no attributes back, as moto without our extensions would
    monkeypatch.setitem(handlers._TABLE, spec.type, forgetful)
    with pytest.raises(Fault, match="not given back by the account: enableDnsHostnames"):
        project.run("up", vpc("forgotten"))
    monkeypatch.undo()
    assert steps(project.run())["net"] in {"update", "same"}
    project.run("down")


def test_a_creation_that_was_announced_is_finished_and_not_repeated(project: Project) -> None:
    project.write(vpc("announced"))
    project.run("up", "")
    state, _ = State.load(project.folder, project.account.born)
    found = project.run("preview", vpc("announced"))
    urn = next(step.urn for step in found.steps if step.urn.endswith("::net"))
    aws = clients(project.account)
    with aws.once("token-of-the-killed-run"):
        tags = [{"Key": "Name", "Value": "announced"}, {"Key": "owner", "Value": "tests"}]
        kind = [{"ResourceType": "vpc", "Tags": tags}]
        answer = aws.client("ec2").create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=kind)
    made = answer["Vpc"]["VpcId"]
    inputs = next(item["inputs"] for item in found.planned if item["name"] == "net")
    record = Record(urn, "aws:ec2/vpc:Vpc", "net", True, inputs=inputs, pending="token-of-the-killed-run")
    state.put(record)  # the run was killed here: announced, made, never confirmed
    assert project.run("up").outputs["vpc"] == made


def test_a_torn_journal_line_is_ignored(project: Project) -> None:
    project.run("up", vpc("torn"))
    with (project.folder / "state.journal.jsonl").open("w") as journal:
        journal.write('{"table":"records","key":"urn:x","rec')
    assert project.run().changes == 0


def test_the_state_of_an_account_that_ended_is_discarded_with_a_remark(project: Project) -> None:
    project.run("up", vpc("earlier"))
    project.account = replace(project.account, born="another-life")
    run = project.run("up", vpc("later"))
    assert run.remarks == ("state of 3 resources discarded: their emulated account has ended",)
    assert steps(run)["net"] == "create"


def test_two_runs_on_one_stack_do_not_mix(project: Project) -> None:
    with locked(project.folder), pytest.raises(Fault, match="another run is changing this stack"):
        project.run("up", "")


# ---------------------------------------------------------------------- secrets
SECRET = "correct-horse-battery-staple"
WITH_SECRET = f"""
vault = aws.secretsmanager.Secret("vault", recovery_window_in_days=0, opts=mine)
value = aws.secretsmanager.SecretVersion(
    "value", secret_id=vault.id, secret_string=pulumi.Output.secret("{SECRET}"), opts=mine
)
pulumi.export("given", value.secret_string)
pulumi.export("hidden", pulumi.Output.is_secret(value.secret_string))
"""


def test_a_secret_reaches_aws_and_stays_out_of_state_journal_log_and_plan(project: Project) -> None:
    run = project.run("up", WITH_SECRET)
    vault = clients(project.account).client("secretsmanager")
    assert vault.get_secret_value(SecretId=project.state()["vault"]["id"])["SecretString"] == SECRET
    assert run.outputs == {"given": SECRET, "hidden": True}
    files = [path for path in project.folder.rglob("*") if path.is_file()]
    assert {"state.json", "program.log"} <= {path.name for path in files}
    assert [path.name for path in files if SECRET in path.read_text()] == []
    assert SECRET not in json.dumps(run.planned)
    assert project.run().changes == 0


def test_a_changed_secret_is_a_change(project: Project) -> None:
    project.run("up", WITH_SECRET)
    assert steps(project.run("up", WITH_SECRET.replace(SECRET, "another")))["value"] == "replace"


def test_an_error_that_quotes_a_secret_is_scrubbed(project: Project) -> None:
    body = 'aws.secretsmanager.SecretVersion("v", secret_id=pulumi.Output.secret("hush-hush"), '
    body += 'secret_string="x", opts=mine)\n'
    with pytest.raises(Fault) as caught:
        project.run("up", body)
    assert "create failed" in caught.value.problem
    assert "hush-hush" not in str(caught.value)
