"""Reading a stack: what is good stays good, typed and frozen; the schema and Pulumi.yaml follow the model."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import botocore
import hypothesis
import jsonschema
import pydantic
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import settings
from fault import Fault
from settings.__main__ import run
from settings.facts import JURISDICTIONS
from settings.schema import stack_schema
from tests.unit.settings_sample import ROOT, STACKS, put, raw


@pytest.mark.parametrize("stack", STACKS)
def test_every_shipped_stack_is_good(
    stack: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(["check", stack]) == 0
    assert capsys.readouterr().out.startswith(f"{stack}: good; ")


def test_shipped_stacks_share_no_address_account_or_gateway() -> None:
    seen: dict[Any, str] = {}
    for stack in STACKS:
        loaded = settings.load(stack, ROOT)
        things: list[Any] = [
            loaded.account,
            loaded.image.id,
            *loaded.sites,
            *(s.gateway for s in loaded.sites.values()),
        ]
        blocks = [v.cidr for v in loaded.vpcs.values()] + [r for s in loaded.sites.values() for r in s.ranges]
        for thing in things:
            assert seen.setdefault(thing, stack) == stack
        for block in blocks:
            others = [o for o, owner in seen.items() if isinstance(o, IPv4Network) and owner != stack]
            assert not any(block.overlaps(o) for o in others), block
            seen[block] = stack


@pytest.mark.parametrize("stack", STACKS)
def test_shipped_stacks_have_the_nodes_the_issue_asks_for(stack: str) -> None:
    roles = settings.load(stack, ROOT).server_roles
    assert {n: (r.tier.value, r.count) for n, r in roles.items()} == {
        "edge": ("public", 3),
        "app": ("private", 2),
        "archive": ("isolated", 1),
    }


def test_values_are_typed_and_frozen() -> None:
    loaded = settings.load("in-mumbai", ROOT)
    assert loaded.vpcs["customer"].cidr == IPv4Network("10.20.0.0/16")
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        loaded.region = "eu-central-1"


def test_what_pulumi_hands_over_gives_the_same_settings() -> None:
    config = {
        f"stockade:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in raw().items()
    }
    config["aws:region"] = "us-east-1"
    assert settings.parse_config(config) == settings.load("in-mumbai", ROOT)


def test_pulumis_text_that_is_no_json_is_a_problem_not_a_crash() -> None:
    config = {
        f"stockade:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in raw().items()
    }
    config["stockade:zones"] = "ap-south-1a, ap-south-1b"
    with pytest.raises(settings.SettingsError) as caught:
        settings.parse_config(config)
    assert [p.key for p in caught.value.problems] == ["zones"]


def test_a_missing_stack_lists_the_ones_there_are() -> None:
    with pytest.raises(Fault) as caught:
        settings.load("us-virginia", ROOT)
    assert str(caught.value).startswith("no stack 'us-virginia'; ")
    assert all(stack in caught.value.fix for stack in STACKS)
    assert caught.value.code == 2


@pytest.mark.parametrize("name", ["../secret", "in-mumbai.yaml/../x", "", "/etc/passwd"])
def test_a_stack_name_is_no_path(name: str) -> None:
    with pytest.raises(Fault, match="no stack"):
        settings.load(name, ROOT)


def test_the_generated_schema_is_current() -> None:
    path = ROOT / "docs/generated/settings.schema.json"
    assert json.loads(path.read_text()) == stack_schema(), (
        "stale: python -m settings schema > docs/generated/settings.schema.json"
    )


@pytest.mark.parametrize("stack", STACKS)
def test_stack_files_follow_the_schema_and_name_it(stack: str) -> None:
    path = ROOT / f"Pulumi.{stack}.yaml"
    jsonschema.Draft202012Validator(stack_schema()).validate(yaml.safe_load(path.read_text()))
    assert path.read_text().startswith(
        "# yaml-language-server: $schema=docs/generated/settings.schema.json\n"
    )


def test_the_schema_refuses_an_unknown_and_a_missing_key() -> None:
    stack = yaml.safe_load((ROOT / "Pulumi.in-mumbai.yaml").read_text())
    stack["config"]["stockade:vpcs"]["customer"]["cidrr"] = "10.0.0.0/16"
    del stack["config"]["stockade:region"]
    messages = [e.message for e in jsonschema.Draft202012Validator(stack_schema()).iter_errors(stack)]
    assert any("cidrr" in m for m in messages)
    assert any("stockade:region" in m for m in messages)


def _described(model: type[pydantic.BaseModel], seen: set[type]) -> list[str]:
    missing = [f"{model.__name__}.{n}" for n, info in model.model_fields.items() if not info.description]
    seen.add(model)
    for child in pydantic.BaseModel.__subclasses__():
        for grandchild in child.__subclasses__():
            if grandchild.__module__.startswith("settings.") and grandchild not in seen:
                missing += _described(grandchild, seen)
    return missing


def test_every_field_is_described_and_the_only_defaults_are_the_closed_ones() -> None:
    assert _described(settings.Settings, set()) == []
    schema = stack_schema()
    optional = {
        name: sorted(set(shape.get("properties", {})) - set(shape.get("required", ())))
        for name, shape in schema["$defs"].items()
        if shape.get("type") == "object"
    }
    assert {k: v for k, v in optional.items() if v} == {
        "Access": ["switches"],
        "Customer": ["deep_archive", "site", "sources"],
        "DataClass": ["cold_after_days", "critical", "warm_after_days"],
        "Detection": ["indicators", "notify", "thresholds"],
        "Dns": ["allowed_domains"],
        "FirewallRule": ["accepted", "limit"],
        "LoadBalancer": ["health_path", "shield_advanced", "uploads"],
        "Image": ["release"],
        "ServerRole": ["kind", "profile"],
        "Services": ["log_collector"],
        "Site": ["routing"],
        "Switch": ["until"],
        "Team": ["until"],
        "Vpc": ["inspection", "ipv6"],
    }


def test_pulumi_yaml_declares_exactly_the_settings() -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    assert set(project["config"]) == {f"stockade:{name}" for name in settings.Settings.model_fields}
    raw_values = raw()
    kinds: dict[type, str] = {str: "string", list: "array", dict: "object"}
    for key, declared in project["config"].items():
        assert declared["description"], key
        name = key.removeprefix("stockade:")
        optional = not settings.Settings.model_fields[name].is_required()
        assert ("default" in declared) == optional, key
        example = declared["default"] if optional else raw_values[name]
        assert declared["type"] == kinds[type(example)], key
    assert project["runtime"] == {
        "name": "python",
        "options": {"toolchain": "pip", "virtualenv": "build/venv"},
    }


def test_facts_name_their_source() -> None:
    for jurisdiction in JURISDICTIONS.values():
        assert jurisdiction.log_source and jurisdiction.regions
    assert "28 April 2022" in JURISDICTIONS["IN"].log_source
    partitions = json.loads((Path(botocore.__file__).parent / "data/endpoints.json").read_text())[
        "partitions"
    ]
    places = {code: fact["description"] for p in partitions for code, fact in p["regions"].items()}
    for jurisdiction in JURISDICTIONS.values():
        for code, place in jurisdiction.regions.items():
            assert places[code].endswith(f"({place})"), code
    outside_the_union = {"eu-west-2", "eu-central-2"}
    assert not outside_the_union & set(JURISDICTIONS["EU"].regions)


_ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=12)
    | st.sampled_from(["10.0.0.0/8", "::/0", "noc"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
_PLACES = [
    *sorted(raw()),
    "vpcs.customer",
    "vpcs.customer.cidr",
    "vpcs.customer.tiers",
    "server_roles.edge",
    "server_roles.edge.count",
    "server_roles.app.vpc",
    "sites.acme-bank",
    "sites.acme-bank.ranges",
    "sites.acme-bank.kind",
    "sites.noc-mumbai.vpcs",
    "services.time_servers",
    "services.package_proxy.address",
    "firewall.0",
    "firewall.0.from",
    "firewall.3.to",
    "firewall.0.limit",
    "patching.window",
    "image.owner",
    "administrators.noc-automation",
    "administrators.noc-automation.key",
    "residency.allowed_regions",
]


# No deadline: the machine is shared, and the first call builds the validators.
@hypothesis.settings(deadline=None, max_examples=150)
@given(places=st.lists(st.tuples(st.sampled_from(_PLACES), _ANYTHING), min_size=1, max_size=2))
def test_whatever_stands_there_it_is_settings_or_a_list_of_problems(places: list[tuple[str, Any]]) -> None:
    data = raw()
    for place, value in sorted(places, key=lambda p: -p[0].count(".")):
        put(data, place, value)
    try:
        settings.parse(data)
    except settings.SettingsError as error:
        for line in str(error).removeprefix("error: ").split("\nerror: "):
            assert "\n" not in line and line.count("; ") >= 2


def test_settings_import_nothing_of_pulumi() -> None:
    for path in [*ROOT.glob("settings/*.py"), *(ROOT / "inventory").glob("*.py")]:
        assert "import pulumi" not in path.read_text(), path
    pure = [
        "plan",
        "intent",
        "renderings",
        "security_groups",
        "network_acls",
        "node_rules",
        "reachability",
        "__init__",
    ]
    for name in pure:
        assert "import pulumi" not in (ROOT / "network" / f"{name}.py").read_text(), name
