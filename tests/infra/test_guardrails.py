"""Guardrails: green on our own program in every stack, and red on each thing they exist to stop.

The broken plans lie in `broken/`, a file for each room; every rule has at least one.
"""

from __future__ import annotations

import dataclasses
import importlib
import re

import pytest

from guardrails import bounds_of, judge
from tests.infra.breaking import Break, Broken, bounds, plan, put
from tests.infra.broken.base import PORT_22, at_group
from tests.infra.monitor import ROOT, run_of
from tests.unit.settings_sample import opened, raw
from tests.unit.settings_sample import put as put_in

BROKEN: list[Broken] = [
    entry
    for path in sorted((ROOT / "tests/infra/broken").glob("*.py"))
    for entry in importlib.import_module(f"tests.infra.broken.{path.stem}").BROKEN
]


@pytest.mark.parametrize("stack", ["in-mumbai", "eu-frankfurt", "in-hyderabad"])
def test_our_own_program_breaks_no_guardrail(stack: str) -> None:
    assert [str(found) for found in judge(run_of(stack).planned, bounds(stack))] == []


@pytest.mark.parametrize(("rule_id", "what", "broken"), BROKEN, ids=[f"{b[0]}: {b[1]}" for b in BROKEN])
def test_each_weakness_turns_exactly_its_guardrail_red(rule_id: str, what: str, broken: Break) -> None:
    planned = plan()
    broken(planned)
    found = judge(planned, bounds("in-mumbai"))
    assert {finding.rule for finding in found} == set(rule_id.split("+")), [str(f) for f in found]


def test_every_rule_has_a_broken_example() -> None:
    written = set()
    for source in (ROOT / "guardrails").glob("*.py"):
        written |= set(re.findall(r'Finding\(\s*"([a-z-]+)"', source.read_text()))
    assert len(written) > 20
    assert written == {name for rule_id, _, _ in BROKEN for name in rule_id.split("+")}


def test_what_the_intent_opens_is_allowed_and_the_same_port_elsewhere_is_not() -> None:
    planned = plan()
    at_group("front-load-balancer", 443, cidrIpv4="0.0.0.0/0")(planned)
    assert judge(planned, bounds("in-mumbai")) == []
    shut = dataclasses.replace(bounds("in-mumbai"), public=frozenset())
    assert {finding.rule for finding in judge(planned, shut)} == {"ingress-intended"}


def test_a_server_is_open_to_everybody_under_an_exception_only_and_only_until_it_ends() -> None:
    planned = plan()
    at_group("edge", 443, cidrIpv4="0.0.0.0/0")(planned)
    for until, wanted in (("2027-06-30", set()), ("2026-01-31", {"sources-bound"})):
        stated = opened()
        stated["firewall"][0]["accepted"]["until"] = until
        assert {finding.rule for finding in judge(planned, bounds_of(stated))} == wanted


def test_a_source_whose_binding_has_ended_is_refused_as_a_strangers() -> None:
    stated = put_in(raw(), "customers.acme-bank.sources.head-office.until", "2026-01-31")
    found = [f for f in judge(plan(), bounds_of(stated)) if f.rule == "sources-bound"]
    assert found and all("198.51.100.10/32 reaches edge" in f.problem for f in found)


def test_a_policy_that_cannot_be_read_is_an_error_never_harmless() -> None:
    planned = plan()
    put("aws:iam/policy:Policy", "policy", "{not json")(planned)
    with pytest.raises(ValueError, match="Expecting"):
        judge(planned, bounds("in-mumbai"))


def test_a_finding_says_rule_resource_problem_and_fix_in_one_line() -> None:
    planned = plan()
    PORT_22(planned)
    (finding,) = judge(planned, bounds("in-mumbai"))
    assert str(finding).startswith("ingress-intended: urn:pulumi:")
    assert "tcp 22-22" in str(finding) and "\n" not in str(finding)
