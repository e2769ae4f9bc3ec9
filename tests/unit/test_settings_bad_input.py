"""What bad input gets: one line per problem (value, rule, fix), all at once, exit 2."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from tests.unit.settings_sample import ACCEPTED, ROOT, put, raw

# Where a rule goes that is added to the shipped ones.
NEXT = f"firewall.{len(raw()['firewall'])}"
GOOD_RULE = {"from": ["edge"], "to": ["app"], "protocol": "tcp", "port": 9000, "why": "a test"}
INTERNET_RULE = {
    "from": ["internet"],
    "to": ["app"],
    "protocol": "tcp",
    "port": 443,
    "why": "a test",
    "limit": {"connections": 5, "rate": 5},
}
SITE = {
    "kind": "customer",
    "gateway": "198.51.100.99",
    "ranges": ["192.168.1.0/24"],
    "vpcs": ["customer"],
    "asn": 65099,
    "routing": "static",
}


def problems(data: dict[str, Any]) -> list[settings.Problem]:
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse(data)
    assert caught.value.code == 2
    return caught.value.problems


CASES = [
    # place, value, key of the problem, value shown, part of the rule or the fix
    ("region", "us-east-1", "region", "us-east-1", "residency.allowed_regions"),
    ("region", "Mumbai", "region", "Mumbai", "match pattern"),
    ("region", ..., "region", "missing", "no defaults"),
    ("account", 111122223333, "account", "111122223333", "quotes"),
    ("account", "1234", "account", "1234", "12 digits"),
    ("owner", "", "owner", "", "match pattern"),
    ("zonez", ["x"], "zonez", "['x']", "did you mean zones?"),
    ("vpcs.customer.cidrr", "x", "vpcs.customer.cidrr", "x", "did you mean cidr?"),
    ("firewall.0.form", "x", "firewall.0.form", "x", "did you mean from?"),
    ("firewall.0.from_", ["edge"], "firewall.0.from_", "['edge']", "unknown keys are refused"),
    ("retention.zzz", 1, "retention.zzz", "1", "unknown keys are refused"),
    ("residency.jurisdiction", "US", "residency.jurisdiction", "US", "one of IN, EU, DE"),
    ("residency.allowed_regions.2", "eu-central-1", "residency.allowed_regions.2", "eu-central-1", "India"),
    ("zones.0", "eu-central-1a", "zones.0", "eu-central-1a", "belongs to the region ap-south-1"),
    ("zones.0", "ap-south-1", "zones.0", "ap-south-1", "belongs to the region"),
    ("zones.0", "ap-south-1-bom-1a", "zones.0", "ap-south-1-bom-1a", "belongs to the region"),
    ("zones.2", ..., "zones", "ap-south-1a, ap-south-1b", "at least 3"),
    ("zones.3", "ap-south-1a", "zones", "ap-south-1a", "named once"),
    ("vpcs.customer.cidr", "8.8.0.0/16", "vpcs.customer.cidr", "8.8.0.0/16", "RFC 1918"),
    ("vpcs.customer.cidr", "10.0.0.0/12", "vpcs.customer.cidr", "10.0.0.0/12", "/16 at most"),
    ("vpcs.customer.cidr", "10.20.0.0/24", "vpcs.customer.cidr", "10.20.0.0/24", "too small"),
    ("vpcs.customer.cidr", "10.20.0.1/16", "vpcs.customer.cidr", "10.20.0.1/16", "network"),
    ("vpcs.customer.cidr", "10.20.0.0", "vpcs.customer.cidr", "10.20.0.0", "prefix length"),
    ("vpcs.customer.cidr", 7, "vpcs.customer.cidr", "7", "CIDR"),
    ("vpcs.platform.cidr", "10.20.128.0/17", "vpcs.platform.cidr", "10.20.128.0/17", "overlaps 10.20.0.0/16"),
    ("vpcs.platform.cidr", "172.30.0.0/16", "sites.noc-mumbai.ranges.0", "172.30.10.0/24", "overlaps"),
    ("vpcs.platform.tiers.3", "public", "vpcs.platform.tiers", "public", "named once"),
    ("vpcs.platform.tiers.0", "dmz", "vpcs.platform.tiers.0", "dmz", "'isolated'"),
    ("server_roles.app.vpc", "custmer", "server_roles.app.vpc", "custmer", "choose from customer, platform"),
    ("server_roles.app.tier", "isolated", "server_roles.app.tier", "isolated", "tier of its VPC"),
    ("server_roles.app.count", 0, "server_roles.app.count", "0", "greater than or equal to 1"),
    ("server_roles.app.count", "2", "server_roles.app.count", "2", "valid integer"),
    ("server_roles.app.count", True, "server_roles.app.count", "True", "valid integer"),
    ("image.id", "debian-12", "image.id", "debian-12", "ami-"),
    ("image.owner", "debian", "image.owner", "debian", "12 digits"),
    ("sites.noc-mumbai.ranges", ["0.0.0.0/0"], "sites.noc-mumbai.ranges.0", "0.0.0.0/0", "never everywhere"),
    ("sites.noc-mumbai.ranges.1", "::/0", "sites.noc-mumbai.ranges.1", "::/0", "never everywhere"),
    (
        "sites.noc-mumbai.ranges.1",
        "172.16.0.0/13",
        "sites.noc-mumbai.ranges.1",
        "172.16.0.0/13",
        "/16 at the",
    ),
    ("sites.sc-pune.ranges.1", "2001:db8::/31", "sites.sc-pune.ranges.1", "2001:db8::/31", "/32 at the"),
    ("sites.acme-bank.ranges.1", "64.0.0.0/2", "sites.acme-bank.ranges.1", "64.0.0.0/2", "/8 at the widest"),
    ("sites.acme-bank.ranges.1", "127.0.0.0/24", "sites.acme-bank.ranges.1", "127.0.0.0/24", "loopback"),
    (
        "sites.acme-bank.ranges.1",
        "172.30.10.64/26",
        "sites.acme-bank.ranges.1",
        "172.30.10.64/26",
        "overlaps",
    ),
    ("sites.acme-bank.ranges", [], "sites.acme-bank.ranges", "[]", "at least 1 item"),
    ("sites.acme-bank.kind", "partner", "sites.acme-bank.kind", "partner", "'customer'"),
    ("sites.acme-bank.vpcs.0", "edge", "sites.acme-bank.vpcs.0", "edge", "a VPC is named that exists"),
    ("sites.acme-bank.gateway", "10.1.2.3", "sites.acme-bank.gateway", "10.1.2.3", "public address"),
    ("sites.acme-bank.gateway", "127.0.0.1", "sites.acme-bank.gateway", "127.0.0.1", "public address"),
    (
        "sites.acme-bank.gateway",
        "203.0.113.10",
        "sites.acme-bank.gateway",
        "203.0.113.10",
        "noc-mumbai has the same",
    ),
    ("sites.acme-bank.asn", 0, "sites.acme-bank.asn", "0", "greater than or equal to 1"),
    (
        "services.package_proxy.address",
        "192.168.64.9",
        "services.package_proxy.address",
        "192.168.64.9",
        "NOC or serv",
    ),
    (
        "services.time_servers.0.address",
        "9.9.9.9",
        "services.time_servers.0.address",
        "9.9.9.9",
        "NOC or service",
    ),
    ("services.time_servers", [], "services.time_servers", "[]", "at least 1 item"),
    (
        "services.package_proxy.port",
        70000,
        "services.package_proxy.port",
        "70000",
        "less than or equal to 65535",
    ),
    ("firewall.2.port", 0, "firewall.2.port", "0", "greater than or equal to 1"),
    ("firewall.2.port", 65536, "firewall.2.port", "65536", "less than or equal to 65535"),
    ("firewall.2.protocol", "icmp", "firewall.2.protocol", "icmp", "'tcp' or 'udp'"),
    ("firewall.2.to", ["database"], "firewall.2.to", "database", "word is known"),
    ("firewall.2.from", ["aws_endpoints"], "firewall.2.from", "aws_endpoints", "cannot stand in `from`"),
    ("firewall.2.from", ["time_servers"], "firewall.2.from", "time_servers", "cannot stand in `from`"),
    (NEXT, INTERNET_RULE, f"{NEXT}.to", "app", "public tier only; app is private"),
    (NEXT, INTERNET_RULE | {"to": ["noc"]}, f"{NEXT}.to", "noc", "reaches server roles and"),
    ("firewall.0.limit", ..., "firewall.0.limit", "missing", "has a limit"),
    ("firewall.0.port", 22, "firewall.0.from", "bound_sources to port 22", "ssh is administration"),
    ("firewall.1.port", 3389, "firewall.1.from", "customer to port 3389", "RDP is administration"),
    (NEXT, GOOD_RULE | {"port": 8443}, NEXT, "edge to app tcp 8443", "stands in rule 2"),
    ("firewall.2.to", ["app", "app"], "firewall.2", "edge to app tcp 8443", "stated once"),
    (
        NEXT,
        GOOD_RULE | {"from": ["noc"], "to": ["customer"]},
        NEXT,
        "noc to customer",
        "server role",
    ),
    ("firewall.1.to", ["archive"], "firewall.1.from", "customer", "tunnel to the VPC platform of archive"),
    (
        "firewall.4.to",
        ["edge", "app"],
        "firewall",
        "no rule from noc to archive tcp 22",
        "lock everybody out",
    ),
    (
        "firewall.4.from",
        ["service_centre"],
        "firewall",
        "no rule from noc to edge tcp 22",
        "lock everybody out",
    ),
    ("firewall.4.protocol", "udp", "firewall", "no rule from noc to app tcp 22", "lock everybody out"),
    (
        "sites.noc-mumbai.vpcs",
        ["customer"],
        "sites",
        "no NOC with a tunnel to platform",
        "archive stands there",
    ),
    ("firewall.5.port", 3143, "firewall", "no rule from app to package_proxy tcp 3142", "signed packages"),
    (
        "firewall.6.from",
        ["app", "edge"],
        "firewall",
        "no rule from archive to time_servers udp 123",
        "and time",
    ),
    (
        "sites.sc-pune.vpcs",
        ["customer"],
        "firewall.5.to",
        "package_proxy at 172.30.20.10",
        "no tunnel to the VPC plat",
    ),
    ("retention.flow_logs_days", 90, "retention.flow_logs_days", "90", "28 April 2022"),
    ("retention.access_logs_days", 179, "retention.access_logs_days", "179", "180 days or longer"),
    ("retention.node_logs_days", 179, "retention.node_logs_days", "179", "set 180 or more"),
    ("retention.flow_logs_days", 200, "retention.flow_logs_days", "200", "CloudWatch Logs"),
    ("retention.noncurrent_days", 0, "retention.noncurrent_days", "0", "greater than or equal to 1"),
    ("patching.window", "Sunday 1-4", "patching.window", "Sunday 1-4", "Sun 01:00-04:00"),
    ("patching.window", "Sun 24:00-25:00", "patching.window", "Sun 24:00-25:00", "day and two times"),
    ("patching.window", "Sun 04:00-01:00", "patching.window", "Sun 04:00-01:00", "ends after it begins"),
    ("patching.timezone", "Asia/Bombay", "patching.timezone", "Asia/Bombay", "IANA"),
    ("patching.reboot", "always", "patching.reboot", "always", "'when_required'"),
    ("server_roles.noc", raw()["server_roles"]["edge"], "server_roles.noc", "noc", "a meaning of its own"),
    ("server_roles.web_1", raw()["server_roles"]["edge"], "server_roles.web_1", "web_1", "match pattern"),
]


@pytest.mark.parametrize(("place", "value", "key", "shown", "says"), CASES)
def test_a_bad_value_is_named_with_its_rule_and_fix(
    place: str, value: Any, key: str, shown: str, says: str
) -> None:
    found = problems(put(raw(), place, value))
    hits = [p for p in found if p.key == key and p.value == shown and says in f"{p.rule}; {p.fix}"]
    assert len(hits) == 1, [str(p) for p in found]
    assert hits[0].fix


def test_no_noc_is_refused() -> None:
    found = problems(put(raw(), "sites.noc-mumbai", ...))
    assert any(p.key == "sites" and "at least one site of kind noc" in p.rule for p in found)


def test_a_vpc_too_small_for_its_nodes_is_refused() -> None:
    data = put(put(raw(), "vpcs.customer.cidr", "10.20.0.0/22"), "server_roles.app.count", 60)
    assert [
        "a private subnet (/27) has room for 19 nodes and gets up to 20" in p.rule for p in problems(data)
    ] == [True]
    assert settings.parse(put(data, "server_roles.app.count", 57))


def test_neighbours_that_only_security_groups_could_tell_apart_are_refused() -> None:
    data = raw()
    data["server_roles"]["batch"] = data["server_roles"]["app"]
    data["firewall"][4]["to"].append("batch")
    for index in (5, 6, -1):
        data["firewall"][index]["from"].append("batch")
    assert settings.parse(data)
    # batch may reach archive's neighbour on the port on which app reaches archive
    data["server_roles"]["vault"] = data["server_roles"]["archive"]
    data["firewall"][4]["to"].append("vault")
    for index in (5, 6, -1):
        data["firewall"][index]["from"].append("vault")
    data["firewall"].append(GOOD_RULE | {"from": ["batch"], "to": ["vault"], "port": 9443})
    values = sorted(p.value for p in problems(data))
    assert values == ["app to vault tcp 9443", "batch to archive tcp 9443"]
    data["firewall"][-1]["port"] = 9444
    assert settings.parse(data)


def test_all_problems_of_the_issue_come_at_once(tmp_path: Path) -> None:
    """Field problems and problems across fields in one run of the command; nothing hides another."""
    stack = yaml.safe_load((ROOT / "Pulumi.in-mumbai.yaml").read_text())
    config = stack["config"]
    config["stockade:region"] = "us-east-1"
    config["stockade:zones"][0] = "eu-central-1a"
    config["stockade:vpcs"]["platform"]["cidr"] = "10.20.255.0/24"
    config["stockade:colour"] = "red"
    config["stockade:sites"]["noc-mumbai"]["ranges"] = ["0.0.0.0/0"]
    config["stockade:sites"]["acme-bank"]["colour"] = "red"
    config["stockade:firewall"].append(INTERNET_RULE)
    config["stockade:image"]["id"] = "latest"
    config["aws:region"] = "us-east-1"
    (tmp_path / "Pulumi.bad.yaml").write_text(yaml.safe_dump(stack))
    run = subprocess.run(
        [sys.executable, "-m", "settings", "check", "bad"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = run.stderr.splitlines()
    assert run.returncode == 2
    assert run.stdout == ""
    assert all(re.fullmatch(r"error: [\w.:-]+: .+; .+; .+", line) for line in lines), lines
    keys = [line.split(": ")[1] for line in lines]
    for expected in (
        "region",
        "zones.0",
        "vpcs.platform.cidr",
        "colour",
        "sites.noc-mumbai.ranges.0",
        "sites.acme-bank.colour",
        f"{NEXT}.to",
        "image.id",
        "aws:region",
    ):
        assert expected in keys, (expected, lines)
    assert keys.count("vpcs.platform.cidr") == 2  # overlapping, and too small
    assert [p.name for p in tmp_path.iterdir()] == ["Pulumi.bad.yaml"]


def test_no_noc_and_a_broken_rule_are_reported_together() -> None:
    data = put(put(raw(), "sites.noc-mumbai.kind", "customer"), "firewall.2.port", "many")
    assert {"sites", "firewall.2.port"} <= {p.key for p in problems(data)}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config: [", "a stack file is YAML"),
        ("", "has a mapping `config`"),
        ("config: text", "has a mapping `config`"),
        ("- 1", "has a mapping `config`"),
        ("config: {? [a, b] : 1}", "a stack file is YAML"),
    ],
)
def test_a_file_that_is_no_stack_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "Pulumi.bad.yaml").write_text(text)
    with pytest.raises(settings.SettingsError) as caught:
        settings.load("bad", tmp_path)
    assert len(caught.value.problems) == 1
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def _file(tmp_path: Path, change: Callable[[str], str]) -> list[settings.Problem]:
    text = (ROOT / "Pulumi.in-mumbai.yaml").read_text()
    (tmp_path / "Pulumi.bad.yaml").write_text(change(text))
    with pytest.raises(settings.SettingsError) as caught:
        settings.load("bad", tmp_path)
    return caught.value.problems


def test_keys_that_stand_twice_are_all_refused(tmp_path: Path) -> None:
    found = _file(
        tmp_path,
        lambda t: (
            t.replace("reboot: when_required", "reboot: when_required, reboot: never")
            + "  stockade:region: ap-south-2\n"
        ),
    )
    assert {p.key for p in found if p.rule == "a key stands once"} == {"reboot", "stockade:region"}


def test_default_providers_must_be_disabled(tmp_path: Path) -> None:
    found = _file(tmp_path, lambda t: t.replace('pulumi:disable-default-providers: ["*"]', "stockade:x: 1"))
    assert {"pulumi:disable-default-providers", "x"} == {p.key for p in found}


def test_a_provider_key_and_a_foreign_key_are_refused(tmp_path: Path) -> None:
    found = _file(tmp_path, lambda t: t + "  aws:profile: dev\n  other:thing: 1\n" + "resources: {}\n")
    fixes = {p.key: p.fix for p in found}
    assert set(fixes) == {"aws:profile", "other:thing", "resources"}
    assert "stockade: key" in fixes["aws:profile"]


def test_what_pulumi_itself_writes_is_kept(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.in-mumbai.yaml").read_text()
    (tmp_path / "Pulumi.good.yaml").write_text(
        "secretsprovider: awskms://alias/x\nencryptedkey: AAAA\n" + text
    )
    assert settings.load("good", tmp_path) == settings.load("in-mumbai", ROOT)


def test_a_role_is_not_named_as_its_stack(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.in-mumbai.yaml").read_text()
    (tmp_path / "Pulumi.edge.yaml").write_text(text)
    with pytest.raises(settings.SettingsError, match="a role is not named as its stack"):
        settings.load("edge", tmp_path)


def test_a_new_customer_is_data_only() -> None:
    assert "new-bank" in settings.parse(put(raw(), "sites.new-bank", SITE)).sites


def _with_role(name: str, like: str, firewall: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """The Mumbai stack with one more role, administered, patched and on time like the others."""
    data = raw()
    data["server_roles"][name] = data["server_roles"][like]
    data["firewall"][4]["to"].append(name)
    for index in (5, 6, -1):
        data["firewall"][index]["from"].append(name)
    data["firewall"] += firewall
    return data


def test_a_neighbours_opening_to_the_internet_counts_as_well() -> None:
    """portal shares edge's tier; app may reach portal on 443, and edge takes 443 from anywhere."""
    rule = GOOD_RULE | {"from": ["app"], "to": ["portal"], "port": 443}
    bound = _with_role("portal", "edge", [rule])
    assert settings.parse(bound)  # edge takes 443 from customers' bound sources, which app is not
    anybody = bound["firewall"][0] | {"from": ["internet"], "accepted": ACCEPTED}
    assert [p.value for p in problems(put(bound, "firewall.0", anybody))] == ["app to edge tcp 443"]
    assert settings.parse(
        _with_role(
            "portal",
            "edge",
            [anybody | {"port": 444}, rule | {"port": 444, "to": ["app"], "from": ["portal"]}],
        )
    )


def test_endpoints_of_aws_share_the_tier_of_their_neighbours() -> None:
    """The endpoints stand in app's tier; app may use them on 443, and batch takes 443 from app's tier."""
    rule = GOOD_RULE | {"from": ["batch"], "to": ["batch"], "port": 443}
    assert [p.value for p in problems(_with_role("batch", "app", [rule]))] == ["app to batch tcp 443"]
    assert settings.parse(_with_role("batch", "app", [rule | {"port": 444}]))
