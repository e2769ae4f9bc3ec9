"""Rules of the web firewall as data, what they cost, whom they admit on which day; and AWS's types without
the SDK's classes.
"""

from __future__ import annotations

import inspect
from datetime import date
from ipaddress import ip_network
from typing import Any

import pytest
from pulumi_aws import wafv2

from edge import waf
from edge.facts import (
    BODY_RULE,
    CAPACITY_WITHOUT_FEE,
    MANAGED_GROUPS,
    MOST_CAPACITY,
    TLS_POLICIES,
    TLS_POLICY,
)
from edge.rules import Admission, capacity, default_action, rules
from edge.sources import bound, of_version
from settings.data import Customer, Source

HOSTILE = ["hostile-v4", "hostile-v6"]


def admission(customers: dict[str, list[str]] | None, uploads: bool = False) -> Admission:
    return Admission(HOSTILE, customers, 2000, uploads)


def acts(rule: dict[str, Any]) -> set[str]:
    return {*rule.get("action", {}), *rule.get("overrideAction", {})}


BOUND = {"acme-bank": ["acme-v4"], "surya": ["surya-v4", "surya-v6"]}


def test_customers_are_allowed_last_and_nobody_else_is() -> None:
    found = rules("front", admission(BOUND))
    names = [rule["name"] for rule in found]
    assert names[:2] == ["hostile", "rate"]
    assert names[-2:] == ["customer-acme-bank", "customer-surya"]
    assert default_action(admission(BOUND)) == {"block": {}}
    allowing = {rule["name"] for rule in found if "allow" in acts(rule)}
    assert allowing == {"customer-acme-bank", "customer-surya"}
    assert [rule["priority"] for rule in found] == list(range(len(found)))
    statement = found[-1]["statement"]["orStatement"]["statements"]
    assert [one["ipSetReferenceStatement"]["arn"] for one in statement] == ["surya-v4", "surya-v6"]


def test_without_customers_bound_nobody_gets_in() -> None:
    found = rules("front", admission({}))
    assert default_action(admission({})) == {"block": {}}
    assert not any("allow" in acts(rule) for rule in found)


def test_where_everybody_is_admitted_anonymous_addresses_are_not() -> None:
    groups = {
        rule["statement"]["managedRuleGroupStatement"]["name"]
        for rule in rules("front", admission(None))
        if "managedRuleGroupStatement" in rule["statement"]
    }
    assert groups == set(MANAGED_GROUPS)
    assert default_action(admission(None)) == {"allow": {}}
    assert not any("allow" in acts(rule) for rule in rules("front", admission(None)))


@pytest.mark.parametrize("uploads", [False, True])
def test_only_the_body_rule_is_ever_counted_and_only_for_uploads(uploads: bool) -> None:
    found = rules("front", admission(BOUND, uploads))
    assert not any("count" in acts(rule) for rule in found)
    overrides = [
        override["name"]
        for rule in found
        for override in rule["statement"].get("managedRuleGroupStatement", {}).get("ruleActionOverrides", [])
    ]
    assert overrides == ([BODY_RULE] if uploads else [])
    assert ("oversized-body" in {rule["name"] for rule in found}) is not uploads


def test_samples_that_would_show_what_the_log_redacts_are_off() -> None:
    for rule in rules("front", admission(BOUND)):
        seen = rule["visibilityConfig"]
        assert seen["sampledRequestsEnabled"] is False
        assert seen["metricName"] == f"front-{rule['name']}"


def test_capacity_stays_without_extra_fee_for_thirty_customers_and_legal_for_a_region() -> None:
    many = {f"customer-{n}": [f"{n}-v4", f"{n}-v6"] for n in range(30)}
    assert capacity(rules("front", admission(None))) <= CAPACITY_WITHOUT_FEE
    assert capacity(rules("front", admission(many))) <= CAPACITY_WITHOUT_FEE
    most = {f"customer-{n}": [f"{n}-v4", f"{n}-v6"] for n in range(49)}  # 98 sets, settings/rules_edge.py
    assert capacity(rules("front", admission(most))) <= MOST_CAPACITY


def test_each_customer_costs_what_its_sets_cost() -> None:
    one, two = ({f"c{n}": ["v4"] for n in range(count)} for count in (1, 9))
    assert capacity(rules("f", admission(two))) - capacity(rules("f", admission(one))) == 8


def customer(**until: str) -> Customer:
    sources = {
        name: Source.model_validate({"cidr": f"198.51.100.{n}/32", "change": "CHG-1", "until": day})
        for n, (name, day) in enumerate(until.items())
    }
    return Customer(sources=sources, classes=("records",), partition="prefix")


@pytest.mark.parametrize(
    ("day", "admitted"),
    [
        ("2026-12-31", {"a": ["198.51.100.0/31"]}),
        ("2027-01-01", {"a": ["198.51.100.1/32"]}),
        ("2028-01-01", {}),
    ],
)
def test_a_source_is_admitted_until_the_end_of_its_last_day(day: str, admitted: dict[str, Any]) -> None:
    customers = {"a": customer(short="2026-12-31", long="2027-12-31"), "b": customer(over="2020-01-01")}
    found = bound(customers, date.fromisoformat(day))
    assert {name: of_version(networks, 4) for name, networks in found.items()} == admitted


def test_ranges_are_merged_and_told_apart_by_family() -> None:
    stated = map(ip_network, ("198.51.100.0/25", "198.51.100.128/25", "2001:db8::/48", "198.51.100.7/32"))
    networks = list(stated)
    assert of_version(networks, 4) == ["198.51.100.0/24"]
    assert of_version(networks, 6) == ["2001:db8::/48"]


def test_every_allowed_policy_is_aes_256_and_tls_1_2_or_newer() -> None:
    assert TLS_POLICY in TLS_POLICIES
    for policy in TLS_POLICIES.values():
        assert set(policy.versions) <= {"TLSv1.2", "TLSv1.3"}
        assert all("AES256" in suite.replace("_", "") for suite in policy.suites)


# ---------------------------------------------------------------------- the SDK's own classes
OURS = [
    (waf.IpSet, wafv2.IpSet, {"name", "scope", "ipAddressVersion", "addresses", "tags"}),
    (
        waf.WebAcl,
        wafv2.WebAcl,
        {"name", "description", "scope", "defaultAction", "rules", "visibilityConfig", "tags"},
    ),
    (waf.WebAclAssociation, wafv2.WebAclAssociation, {"webAclArn", "resourceArn"}),
    (
        waf.WebAclLoggingConfiguration,
        wafv2.WebAclLoggingConfiguration,
        {"resourceArn", "logDestinationConfigs", "redactedFields"},
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "properties"), OURS, ids=[o[0].__name__ for o in OURS])
def test_our_types_are_the_sdks(ours: Any, theirs: Any, properties: set[str]) -> None:
    source = inspect.getsource(theirs)
    assert f"'{ours.kind}'" in source
    known = {_wire(name) for name in inspect.signature(theirs._internal_init).parameters}
    assert properties <= known, properties - known
    computed = {_wire(name) for name, found in inspect.getmembers(theirs) if isinstance(found, property)}
    assert set(ours.computed) <= computed


def _wire(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
